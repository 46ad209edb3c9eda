#include <time.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "control/api/channelz.h"
#include "control/config/text.h"
#include "control/config/translate.h"
#include "control/daemon/daemon.h"
#include "google/protobuf/stubs/common.h"
#include "router/base/log.h"
#include "router/tls/context.h"

// What the daemon does with its API, and what it does for it.
namespace trunkline::daemon {
namespace {

constexpr LogModule kLogModule = LogModule::kDaemon;

int64_t MillisecondsSince1970() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// "OpenSSL 3.0.17 1 Jul 2025" → "3.0.17".
std::string VersionIn(const std::string& text) {
  const std::vector<std::string> words = absl::StrSplit(text, ' ');
  return words.size() > 1 ? words[1] : text;
}

}  // namespace

absl::Status Daemon::OpenApi() {
  ControlLoop& loop = surroundings_.loop;
  router_service_ = std::make_unique<api::RouterService>(
      api::RouterService::Facts{
          .version = surroundings_.version,
          .router_id = router_spec_.id,
          .start_time = MillisecondsSince1970(),
          .libraries = {{"openssl", VersionIn(tls::LibraryVersion())},
                        {"grpc", api::Server::GrpcVersion()},
                        {"protobuf",
                         google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)}}},
      api::RouterService::Hooks{
          .load =
              [this] {
                const RouterMetrics metrics = router_->Metrics();
                return api::RouterService::Load{metrics.sums.connections_now, metrics.unsettled};
              },
          .now = [&loop] { return loop.Now(); },
          .drain = [this](std::optional<Duration> limit) { Drain(limit); },
          .shutdown = [this](std::optional<Duration> limit) { ShutDown(limit); }});
  api::Handlers handlers = api::MakeChannelzHandlers();
  handlers.merge(router_service_->MakeHandlers());
  resource_api_ = std::make_unique<ResourceApi>(
      *store_, board_, methods_, random_, [&loop] { return loop.Now(); }, *router_);
  handlers.merge(resource_api_->MakeHandlers());
  handlers.merge(trace_api_.MakeHandlers(*router_, *store_));
  connector_tests_ = std::make_unique<ConnectorTests>(*store_, loop, router_spec_.id);
  connector_service_ = std::make_unique<api::ConnectorService>(ConnectorHooks());
  handlers.merge(connector_service_->MakeHandlers());
  resource_api_->Begin();
  auto opened =
      ControlApi::Open(store_->effective(), {.methods = methods_,
                                             .handlers = std::move(handlers),
                                             .wake = [&loop] { loop.Wake(); },
                                             .now = [&loop] { return loop.Now(); },
                                             .runtime_directory = surroundings_.runtime_directory});
  if (!opened.ok()) return opened.status();
  api_ = *std::move(opened);
  FollowApiCertificate();
  return absl::OkStatus();
}

api::ConnectorService::Hooks Daemon::ConnectorHooks() {
  api::ConnectorService::Hooks hooks;
  hooks.document = [this]() -> const config::Document& { return store_->effective(); };
  hooks.fill_status = [this](v1::Connector& connector) { resource_api_->FillStatus(connector); };
  hooks.dial = [this](const std::string& id) {
    if (draining_) return absl::FailedPreconditionError("the router is draining");
    if (absl::Status status = store_->Redial(id); !status.ok()) return status;
    board_.Dialled(id);
    resource_api_->StatusChanged(config::ResourceName(config::kConnectors, id));
    return absl::OkStatus();
  };
  hooks.close = [this](const std::string& connection, const std::string& reason) {
    uint64_t number = 0;
    const absl::string_view digits = absl::StripPrefix(connection, "connections/");
    if (!absl::SimpleAtoi(digits, &number)) return absl::NotFoundError(connection);
    return router_->CloseConnection(number, reason);
  };
  hooks.test = [this](const v1::Connector& connector, const std::string& path, Duration limit,
                      api::ConnectorService::Tested done) {
    return connector_tests_->Begin(connector, path, limit, std::move(done));
  };
  return hooks;
}

void Daemon::OnChanged(const std::vector<store::Difference>& differences) {
  ExpectConnectors();
  TakeEvents();
  TellCertificates();
  FollowApiCertificate();
  if (resource_api_ == nullptr) return;
  resource_api_->OnChanged(differences);
  trace_api_.OnChanged(differences);
}

void Daemon::OnRouterChanged(v1::Source source) {
  trace_api_.OnRouterChanged(store::RouterOf(store_->file(), store_->effective()), source);
  file_watch_.Resume();  // it may be asked for
}

Duration Daemon::DrainTimeout() const { return config::DrainTimeout(store_->effective().router); }

void Daemon::ShutDown(std::optional<Duration> limit) {
  if (shutdown_.draining()) return;
  TL_LOG(info, "shutdown over the API");
  drain_limit_ = limit.value_or(DrainTimeout());
  Act(shutdown_.OnSignal(surroundings_.loop.Now(), drain_limit_));
}

// Who balances calls is told before connections end.
void Daemon::Drain(std::optional<Duration> limit) {
  if (std::exchange(draining_, true)) return;
  api_->SetServing(false);
  router_service_->OnDraining();
  trace_api_.OnDraining(limit.value_or(DrainTimeout()));
  router_->Drain(limit.value_or(DrainTimeout()));
  metrics_.OnDrain();
  TellMetrics();
}

void Daemon::OnDrained(const Drained& drained) {
  TL_LOG(info, "drained", {"complete", drained.complete}, {"unsettled", drained.unsettled});
  drained_ = true;
  router_service_->OnDrained(drained.complete, drained.unsettled);
  Act(shutdown_.OnDrained());
}

void Daemon::FollowApiCertificate() {
  if (api_ == nullptr || api_->tls_profile().empty()) return;
  // The configuration may name another one by now, which needs a restart.
  const auto found = store_->in_force().profiles.find(api_->tls_profile());
  if (found != store_->in_force().profiles.end()) api_->FollowCertificate(found->second);
}

}  // namespace trunkline::daemon
