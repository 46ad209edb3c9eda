#include "control/api/log_levels.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "control/api/log_feed.h"
#include "control/config/error_details.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

constexpr LogModule kLogModule = LogModule::kControl;

using config::Concat;

constexpr int64_t kTtlMillisecondsMax = int64_t{24} * 3600 * 1000;

absl::Status WrongField(const std::string& field, const std::string& description) {
  return config::WithViolations(
      config::WithReason(absl::InvalidArgumentError(Concat(field, ": ", description)),
                         "INVALID_FIELD"),
      {{field, description}});
}

// The absent one: for good.
absl::StatusOr<std::optional<Duration>> TtlOf(const v1::SetLogLevelRequest& request) {
  if (!request.has_ttl()) return std::nullopt;
  const int64_t milliseconds = config::ToMilliseconds(request.ttl());
  if (milliseconds < 1 || milliseconds > kTtlMillisecondsMax) {
    return WrongField("ttl", "is not in 1ms..24h");
  }
  return Milliseconds(milliseconds);
}

LogModule At(size_t module) { return static_cast<LogModule>(module); }

}  // namespace

absl::StatusOr<LogModule> ModuleOf(std::string_view name) {
  if (const auto module = ParseLogModule(name)) return *module;
  std::string known;
  for (size_t i = 0; i < kLogModules; ++i) {
    known += Concat(i == 0 ? "" : ", ", LogModuleName(At(i)));
  }
  return WrongField("module", Concat("there is no ", config::Quote(name), "; there are ", known));
}

absl::Status CheckLevel(v1::LogLevel level) {
  return v1::LogLevel_IsValid(level) ? absl::OkStatus() : WrongField("level", "is none");
}

LogLevels::LogLevels(Hooks hooks) : hooks_(std::move(hooks)) { OnConfigured(); }

Handlers LogLevels::MakeHandlers() {
  Handlers handlers;
  handlers["TraceService/GetLogLevels"] = [this](const auto& call) { call->Reply(All()); };
  handlers["TraceService/SetLogLevel"] = [this](const auto& call) { Set(*call); };
  return handlers;
}

void LogLevels::OnConfigured() {
  for (size_t i = 0; i < kLogModules; ++i) {
    configured_[i] = GetLogLevel(At(i));
    if (set_[i]) SetLogLevel(At(i), set_[i]->level);
  }
}

void LogLevels::Set(Call& call) {
  const auto& request = call.As<v1::SetLogLevelRequest>();
  std::optional<LogModule> only;
  if (!request.module().empty()) {
    const auto module = ModuleOf(request.module());
    if (!module.ok()) return call.Finish(module.status());
    only = *module;
  }
  const auto ttl = TtlOf(request);
  if (!ttl.ok()) return call.Finish(ttl.status());
  if (absl::Status level = CheckLevel(request.level()); !level.ok()) return call.Finish(level);
  const Time until = ttl->has_value() ? hooks_.clock() + **ttl : kNever;
  for (size_t i = 0; i < kLogModules; ++i) {
    if (only && *only != At(i)) continue;
    if (request.level() == v1::LOG_LEVEL_UNSPECIFIED) {
      PutBack(i);
      continue;
    }
    // In the order of the proto, which begins with UNSPECIFIED.
    set_[i] = Override{static_cast<LogLevel>(request.level() - 1), until};
    SetLogLevel(At(i), set_[i]->level);
  }
  call.Reply(All());
}

void LogLevels::PutBack(size_t module) {
  set_[module].reset();
  SetLogLevel(At(module), configured_[module]);
}

void LogLevels::OnTime(Time now) {
  for (size_t i = 0; i < kLogModules; ++i) {
    if (!set_[i] || set_[i]->until > now) continue;
    PutBack(i);
    TL_LOG(info, "log level is as configured again", {"of", LogModuleName(At(i))},
           {"level", LogLevelName(configured_[i])});
  }
}

Time LogLevels::due() const {
  Time next = kNever;
  for (const auto& set : set_) {
    if (set) next = std::min(next, set->until);
  }
  return next;
}

v1::LogLevels LogLevels::All() const {
  std::map<std::string, v1::LogLevels::Module> all;
  for (size_t i = 0; i < kLogModules; ++i) {
    const std::string name(LogModuleName(At(i)));
    v1::LogLevels::Module& module = all[name];
    module.set_module(name);
    module.set_level(ToProto(GetLogLevel(At(i))));
    module.set_configured_level(ToProto(configured_[i]));
    if (!set_[i]) continue;
    module.set_overridden(true);
    if (set_[i]->until == kNever) continue;
    const int64_t at = hooks_.wall_clock() + (set_[i]->until - hooks_.clock()).milliseconds();
    module.mutable_expire_time()->set_seconds(at / 1000);
    module.mutable_expire_time()->set_nanos(static_cast<int32_t>(at % 1000) * 1'000'000);
  }
  v1::LogLevels reply;
  for (auto& [name, module] : all) *reply.add_modules() = std::move(module);
  return reply;
}

}  // namespace trunkline::api
