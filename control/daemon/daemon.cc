#include "control/daemon/daemon.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "control/api/channelz.h"
#include "control/config/text.h"
#include "control/config/translate.h"
#include "control/daemon/notify.h"
#include "router/base/thread.h"
#include "router/tls/context.h"

namespace trunkline::daemon {
namespace {

constexpr LogModule kLogModule = LogModule::kDaemon;

// The service manager shows it to people; more often than this nobody looks.
constexpr Duration kStatusInterval = Seconds(1);

// What the end may take beyond the limit of a drain, until the service manager ends it for us.
constexpr Duration kStopMargin = Seconds(10);

// A listener that DefaultDocument adds for IPv6; a host without IPv6 is served all the same.
constexpr std::string_view kOptionalListener = "listeners[amqp-ipv6]";

int64_t MillisecondsSince1970() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// The router's id where none is configured.
std::string HostName() {
  std::array<char, 128> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name.front() == '\0') return "trunkline";
  return name.data();
}

using config::Concat;
using config::View;

absl::Status WithPath(std::string_view path, const absl::Status& status) {
  return absl::Status(status.code(), Concat(path, ": ", status.message()));
}

}  // namespace

void LogLines(LogLevel level, std::string_view problems) {
  for (absl::string_view line :
       absl::StrSplit(config::internal::Piece(problems), '\n', absl::SkipEmpty())) {
    if (level == LogLevel::kError) {
      TL_LOG(error, "configuration", {"problem", View(line)});
    } else {
      TL_LOG(warning, "configuration", {"problem", View(line)});
    }
  }
}

Daemon::Daemon(Surroundings surroundings, std::string file, std::unique_ptr<store::Store> store)
    : surroundings_(std::move(surroundings)),
      file_(std::move(file)),
      methods_(api::ServiceFiles(), api::ChannelzMethods()),
      store_(std::move(store)),
      log_spec_(store_->file().log),
      log_file_(log_spec_.file()),
      control_spec_(store_->file().control),
      core_dumps_(store_->file().router.core_dumps()),
      router_spec_(config::ToSpec(store_->effective().router,
                                  {.host_name = HostName(), .version = surroundings_.version})),
      random_(surroundings_.seed),
      trace_api_(
          random_, [this] { return surroundings_.loop.Now(); }, surroundings_.logs) {}

absl::Status Daemon::Start() {
  surroundings_.set_levels(store_->file().log);
  trace_api_.OnLevelsConfigured();
  LogLines(LogLevel::kWarning, store_->warnings());
  ControlLoop& loop = surroundings_.loop;
  auto router = Router::Start(
      router_spec_, [&loop] { loop.Wake(); }, surroundings_.events_max);
  if (!router.ok()) return router.status();
  router_ = *std::move(router);
  telemetry_ = std::make_unique<Telemetry>(
      *router_, metrics::Identity{surroundings_.version, tls::LibraryVersion(), router_spec_.id},
      surroundings_.log_counts);
  const absl::Status served = ServeMetrics();
  if (!served.ok()) return WithPath("metrics", served);
  ExpectConnectors();
  store_->OnRefused([this](const std::string& profile, const absl::Status& why) {
    trace_api_.OnCertificateRefused(profile, why);
  });
  store_->OnRouterChanged([this](v1::Source source) { OnRouterChanged(source); });
  const auto on_changed = [this](const std::vector<store::Difference>& differences) {
    FollowMetricsCertificate();
    OnChanged(differences);
  };
  std::string problems;
  for (const auto& failure : store_->Start(*router_, on_changed)) {
    if (file_.empty() && failure.path == kOptionalListener) {
      TL_LOG(info, "no IPv6", {"error", View(failure.status.message())});
      continue;
    }
    problems += Concat(failure.path, ": ", failure.status.message(), "\n");
  }
  if (!problems.empty()) return absl::FailedPreconditionError(problems);
  metrics_.OnStarted(MillisecondsSince1970());
  TakeEvents();
  TellCertificates();
  // The router's data threads run, and inherited nothing of this; those of the API do.
  BeginThread("trunkd", ThreadClass::kService);
  if (absl::Status status = OpenApi(); !status.ok()) return status;
  TellMetrics();  // who hears that it is ready finds all of it there
  TellReady();
  return absl::OkStatus();
}

void Daemon::Serve() {
  surroundings_.notifier.Send("READY=1");
  TellStatus();
  while (!done_) {
    const ControlLoop::Turn turn = surroundings_.loop.Wait(
        std::min({shutdown_.deadline(), status_due_, users_due_, file_watch_.due(), retry_due_,
                  beat_due_, memory_trim_.due(), resource_api_->due(), api_->due(),
                  router_service_->due(), trace_api_.due()}));
    if (turn.woken) TakeEvents();
    if (turn.woken) api_->RunPosted();
    if (turn.woken) trace_api_.OnWoken();
    for (const auto& function : turn.posted) function();
    for (int signal : turn.signals) OnSignal(signal, turn.now);
    Act(shutdown_.OnTime(turn.now));
    if (turn.now >= status_due_) TellStatus();
    Follow(turn.now);
    api_->OnTime(turn.now);
    resource_api_->OnTime(turn.now);
    trace_api_.OnTime(turn.now);
    if (turn.now >= router_service_->due()) router_service_->OnTime(turn.now);
    if (turn.now >= beat_due_) TellMetrics();
  }
  const RouterCounters counters = router_->Counters();
  TL_LOG(info, "stopped", {"connections", counters.connections_total},
         {"deliveries_in", counters.deliveries_in}, {"deliveries_out", counters.deliveries_out});
}

void Daemon::OnSignal(int signal, Time now) {
  if (signal == SIGHUP) {
    OpenLog();
    if (!draining_) Reload();
    return;
  }
  TL_LOG(info, "signal", {"name", ::sigabbrev_np(signal)});
  drain_limit_ = DrainTimeout();
  Act(shutdown_.OnSignal(now, drain_limit_));
}

void Daemon::OpenLog() {
  const v1::LogSpec& spec = store_->file().log;
  if (spec.file().empty() && log_file_.empty()) return;
  log_file_ = spec.file();
  if (absl::Status status = surroundings_.open_log(spec); !status.ok()) {
    TL_LOG(error, "the log stays where it was", {"error", View(status.message())});
  }
}

void Daemon::Act(Shutdown::Step step) {
  switch (step) {
    case Shutdown::Step::kNone:
      return;
    case Shutdown::Step::kDrain: {
      surroundings_.notifier.Send(Concat("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=",
                                         (drain_limit_ + kStopMargin).ns / kMicrosecond.ns));
      Drain(drain_limit_);
      // It may have been drained over the API.
      if (drained_) Act(shutdown_.OnDrained());
      return;
    }
    case Shutdown::Step::kStop:
      store_->Stop();  // who has asked for a change hears how it ended
      router_->Stop();
      api_->Stop();
      done_ = true;
      return;
  }
}

void Daemon::Reload() {
  if (file_.empty()) {
    TL_LOG(info, "nothing to reload: started without --config");
    return;
  }
  surroundings_.notifier.Send("RELOADING=1");
  reloading_ = true;
  store_->Reload([this](const store::Configuration& loaded,
                        const std::string& warnings) { return CheckDates(loaded, warnings); },
                 [this](const auto& reloaded) {
                   reloading_ = false;
                   OnReloaded(reloaded);
                   surroundings_.notifier.Send("READY=1");
                 });
}

void Daemon::OnReloaded(const absl::StatusOr<store::Store::Reloaded>& reloaded) {
  if (!reloaded.ok()) {
    LogLines(LogLevel::kError, View(reloaded.status().message()));
    TL_LOG(error, "not reloaded: nothing was changed", {"file", file_});
    metrics_.OnReloadFailed(View(reloaded.status().message()));
    trace_api_.OnReloadFailed(file_, reloaded.status());
    return TellMetrics();
  }
  surroundings_.set_levels(store_->file().log);
  if (store_->file().log.file() != log_file_) OpenLog();
  trace_api_.OnLevelsConfigured();
  LogLines(LogLevel::kWarning, reloaded->warnings);
  WarnOfRestart();
  ExpectConnectors();
  TakeEvents();
  TellCertificates();
  FollowApiCertificate();
  api_->FollowPolicy();
  bool complete = store_->failures().empty();
  if (absl::Status status = ServeMetrics(); !status.ok()) {
    complete = false;
    TL_LOG(error, "not applied: stays as it was", {"resource", "metrics"},
           {"error", View(status.message())});
  }
  metrics_.OnReloaded(MillisecondsSince1970(), complete);
  trace_api_.OnReloaded(file_, reloaded->differences.size());
  TellMetrics();
  TL_LOG(info, "reloaded", {"file", file_}, {"changed", reloaded->differences.size()});
}

void Daemon::WarnOfRestart() const {
  const RouterSpec spec = config::ToSpec(
      store_->file().router, {.host_name = HostName(), .version = surroundings_.version});
  if (spec.id != router_spec_.id || spec.workers != router_spec_.workers ||
      store_->file().router.core_dumps() != core_dumps_) {
    TL_LOG(warning, "changes of id, workers and core_dumps of the router section need a restart",
           {"file", file_});
  }
  if (store_->file().control.SerializeAsString() != control_spec_.SerializeAsString()) {
    TL_LOG(warning, "changes of the control section need a restart", {"file", file_});
  }
  if (store_->file().log.format() != log_spec_.format()) {
    TL_LOG(warning, "a change of log.format needs a restart", {"file", file_});
  }
}

absl::Status Daemon::CheckDates(const store::Configuration& loaded,
                                const std::string& warnings) const {
  for (const auto& [id, profile] : loaded.profiles) {
    if (store_->MayCount(id, profile)) continue;
    return absl::FailedPreconditionError(Concat(warnings, "a new certificate is not in its dates"));
  }
  return absl::OkStatus();
}

void Daemon::ExpectConnectors() {
  std::vector<std::string> gone;
  for (const auto& [name, status] : board_.connectors()) {
    const auto found = store_->effective().connectors.find(name);
    const bool wanted =
        found != store_->effective().connectors.end() && config::IsEnabled(found->second);
    if (!wanted) gone.push_back(name);
  }
  for (const std::string& name : gone) board_.Forget(name);
  for (const auto& [name, connector] : store_->effective().connectors) {
    if (config::IsEnabled(connector)) board_.Expect(name);
  }
}

void Daemon::TakeEvents() {
  for (const RouterEvent& event : router_->TakeEvents()) {
    board_.Apply(event, MillisecondsSince1970());
    if (resource_api_ != nullptr) resource_api_->OnEvent(event);
    trace_api_.OnEvent(event);
    if (const auto* drained = std::get_if<Drained>(&event)) {
      OnDrained(*drained);
    }
  }
  FollowLosses();
  if (status_due_ == kNever && !shutdown_.draining()) {
    status_due_ = surroundings_.loop.Now() + kStatusInterval;
  }
}

void Daemon::TellStatus() {
  status_due_ = kNever;
  std::string status = board_.Summary();
  if (shutdown_.draining() || status == status_told_) return;
  status_told_ = std::move(status);
  surroundings_.notifier.Send(Concat("STATUS=", status_told_));
}

void Daemon::TellReady() const {
  std::vector<std::string> addresses;
  for (const auto& [name, listener] : board_.listeners()) {
    addresses.insert(addresses.end(), listener.bound_addresses().begin(),
                     listener.bound_addresses().end());
  }
  TL_LOG(info, "ready", {"id", router_spec_.id}, {"version", router_spec_.version},
         {"listening", absl::StrJoin(addresses, " ")},
         {"connectors", store_->effective().connectors.size()});
  if (!file_.empty()) return;
  TL_LOG(info, "serving clients of this machine, as no --config was given",
         {"try", Concat("an AMQP 1.0 client at amqp://",
                        addresses.empty() ? "127.0.0.1:5672" : addresses.front())},
         {"then", "trunkd --help; README.md, \"Start\"; /usr/share/doc/trunkline/samples"});
}

void Daemon::TellCertificates() {
  for (const auto& [id, profile] : store_->in_force().profiles) {
    if (profile.leaf.subject.empty()) continue;
    if (std::exchange(certificates_told_[id], profile.fingerprint) == profile.fingerprint) continue;
    trace_api_.OnCertificate(id, profile.leaf);
    TL_LOG(info, "certificate in force", {"tls_profile", id}, {"subject", profile.leaf.subject},
           {"not_after", View(absl::FormatTime("%Y-%m-%dT%H:%M:%SZ",
                                               absl::FromUnixSeconds(profile.leaf.not_after),
                                               absl::UTCTimeZone()))},
           {"sha256", profile.leaf.sha256});
  }
}

// Also the sign of life that probes look for.
void Daemon::TellMetrics() {
  beat_due_ = kNever;
  if (!telemetry_->serving()) return;
  const Time now = surroundings_.loop.Now();
  beat_due_ = now + Telemetry::kBeatInterval;
  telemetry_->Beat(now);
  std::map<std::string, MetricsState::Profile> profiles;
  for (const auto& [id, profile] : store_->in_force().profiles) {
    profiles[id] = {&profile, store_->TlsRevision(id), store_->TlsRefused(id)};
  }
  metrics_.SetStore(store_->failures().size(), store_->writes().ok, store_->writes().failed);
  if (api_ != nullptr) {
    metrics_.SetCalls(api_->tally(), [this](api::Refused why) { return api_->refused(why); });
  }
  telemetry_->Tell(metrics_.Update(profiles, router_->ConnectionsByTls(), board_));
}

}  // namespace trunkline::daemon
