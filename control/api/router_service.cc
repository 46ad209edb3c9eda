#include "control/api/router_service.h"

#include <algorithm>
#include <utility>

#include "control/config/error_details.h"
#include "control/config/file_source.h"
#include "control/config/schema.h"
#include "control/config/text.h"

namespace trunkline::api {
namespace {

using config::Concat;

// How often who follows a drain is told of it.
constexpr Duration kDrainInterval = Seconds(1);
// As of the router's drain_timeout.
constexpr int64_t kLimitMillisecondsMax = 3'600'000;
// Of ValidateConfig; the rest is counted.
constexpr size_t kProblemsMax = 100;

absl::Status WrongField(const std::string& field, const std::string& description) {
  return config::WithViolations(
      config::WithReason(absl::InvalidArgumentError(Concat(field, ": ", description)),
                         "INVALID_FIELD"),
      {{field, description}});
}

}  // namespace

absl::StatusOr<std::optional<Duration>> LimitOf(bool is_set,
                                                const google::protobuf::Duration& duration) {
  if (!is_set) return std::nullopt;
  const int64_t milliseconds = config::ToMilliseconds(duration);
  if (milliseconds < 0 || milliseconds > kLimitMillisecondsMax || duration.nanos() < 0) {
    return WrongField("timeout", "is not in 0s..1h");
  }
  return Milliseconds(milliseconds);
}

Handlers RouterService::MakeHandlers() {
  Handlers handlers;
  handlers["RouterService/GetVersion"] = [this](auto call) { GetVersion(*call); };
  handlers["RouterService/ValidateConfig"] = [this](auto call) { ValidateConfig(*call); };
  handlers["RouterService/Drain"] = [this](auto call) { Drain(std::move(call)); };
  handlers["RouterService/Shutdown"] = [this](auto call) { Shutdown(*call); };
  return handlers;
}

void RouterService::GetVersion(Call& call) const {
  v1::GetVersionResponse reply;
  reply.set_version(facts_.version);
  reply.set_api_version("v1");
  reply.set_router_id(facts_.router_id);
  reply.mutable_start_time()->set_seconds(facts_.start_time / 1000);
  reply.mutable_start_time()->set_nanos(static_cast<int32_t>(facts_.start_time % 1000) * 1'000'000);
  for (const auto& [name, version] : facts_.libraries) (*reply.mutable_libraries())[name] = version;
  call.Reply(reply);
}

void RouterService::ValidateConfig(Call& call) const {
  const std::string& yaml = call.As<v1::ValidateConfigRequest>().yaml();
  if (yaml.size() > config::kConfigBytesMax) {
    return call.Finish(
        WrongField("yaml", Concat(yaml.size(), " bytes are more than ", config::kConfigBytesMax)));
  }
  std::vector<config::Problem> problems = config::FindProblems(yaml);
  std::stable_sort(problems.begin(), problems.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  v1::ValidateConfigResponse reply;
  for (const config::Problem& problem : problems) {
    auto& told = *reply.add_problems();
    if (static_cast<size_t>(reply.problems_size()) > kProblemsMax) {
      told.set_description(Concat("and ", problems.size() - kProblemsMax, " more"));
      break;
    }
    told.set_line(problem.at.line);
    told.set_column(problem.at.column);
    told.set_field(problem.path);
    told.set_description(problem.text);
  }
  call.Reply(reply);
}

void RouterService::Drain(std::shared_ptr<Call> call) {
  const auto& request = call->As<v1::DrainRequest>();
  const auto limit = LimitOf(request.has_timeout(), request.timeout());
  if (!limit.ok()) return call->Finish(limit.status());
  if (!draining_) hooks_.drain(*limit);
  followers_.push_back(std::move(call));
  // The first answer at once, the last one too if it has ended already.
  OnTime(hooks_.now());
}

void RouterService::Shutdown(Call& call) {
  const auto& request = call.As<v1::ShutdownRequest>();
  const auto limit = LimitOf(request.has_timeout(), request.timeout());
  if (!limit.ok()) return call.Finish(limit.status());
  // Before it begins: with a limit of 0 the server ends at once.
  call.Reply(v1::ShutdownResponse());
  hooks_.shutdown(*limit);
}

void RouterService::OnDrained(bool complete, uint64_t given_up) {
  draining_ = true;
  drained_.emplace();
  drained_->set_done(true);
  drained_->set_complete(complete);
  drained_->set_unsettled(given_up);
  OnTime(hooks_.now());
}

void RouterService::OnTime(Time now) {
  for (const auto& call : followers_) TellDrain(*call);
  std::erase_if(followers_, [](const auto& call) { return call->ended(); });
  due_ = followers_.empty() ? kNever : now + kDrainInterval;
}

void RouterService::TellDrain(Call& call) const {
  if (!call.writable()) return;
  if (drained_) {
    call.Write(*drained_);
    return call.Finish(absl::OkStatus());
  }
  const Load load = hooks_.load();
  v1::DrainResponse progress;
  progress.set_connections(static_cast<uint32_t>(load.connections));
  progress.set_unsettled(load.unsettled);
  call.Write(progress);
}

}  // namespace trunkline::api
