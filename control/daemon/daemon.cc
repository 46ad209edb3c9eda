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
#include "control/config/text.h"
#include "control/config/translate.h"
#include "router/base/thread.h"

namespace trunkline::daemon {
namespace {

constexpr LogModule kLogModule = LogModule::kDaemon;

// The service manager shows it to people; more often than this nobody looks.
constexpr Duration kStatusInterval = Seconds(1);

// What the end may take beyond the limit of a drain, until the service manager ends it for us.
constexpr Duration kStopMargin = Seconds(10);

// How soon a changed user store is noticed.
constexpr Duration kUsersInterval = Seconds(2);

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

Daemon::Daemon(Surroundings surroundings, std::string file, Configuration configuration)
    : surroundings_(std::move(surroundings)),
      file_(std::move(file)),
      configuration_(std::move(configuration)),
      router_spec_(config::ToSpec(configuration_.document.router,
                                  {.host_name = HostName(), .version = surroundings_.version})) {}

absl::Status Daemon::Start() {
  surroundings_.set_levels(configuration_.document.log);
  LogLines(LogLevel::kWarning, configuration_.warnings);
  ControlLoop& loop = surroundings_.loop;
  auto router = Router::Start(router_spec_, [&loop] { loop.Wake(); });
  if (!router.ok()) return router.status();
  router_ = *std::move(router);
  reconciler_ = std::make_unique<reconcile::Reconciler>(*router_);
  ExpectConnectors();
  std::string problems;
  for (const auto& failure : reconciler_->Reconcile(
           {configuration_.profiles, configuration_.stores},
           reconcile::ResourcesOf(configuration_.document, configuration_.passwords))) {
    if (file_.empty() && failure.path == kOptionalListener) {
      TL_LOG(info, "no IPv6", {"error", View(failure.status.message())});
      continue;
    }
    problems += Concat(failure.path, ": ", failure.status.message(), "\n");
  }
  if (!problems.empty()) return absl::FailedPreconditionError(problems);
  TakeEvents();
  TellCertificates();
  TellReady();
  return absl::OkStatus();
}

void Daemon::Serve() {
  // The router's data threads run, and inherited nothing of this.
  BeginThread("trunkd", ThreadClass::kService);
  surroundings_.notifier.Send("READY=1");
  TellStatus();
  while (!done_) {
    const ControlLoop::Turn turn =
        surroundings_.loop.Wait(std::min({shutdown_.deadline(), status_due_, users_due_}));
    if (turn.woken) TakeEvents();
    for (int signal : turn.signals) OnSignal(signal, turn.now);
    Act(shutdown_.OnTime(turn.now));
    if (turn.now >= status_due_) TellStatus();
    FollowUsers(turn.now);
  }
  const RouterCounters counters = router_->Counters();
  TL_LOG(info, "stopped", {"connections", counters.connections_total},
         {"deliveries_in", counters.deliveries_in}, {"deliveries_out", counters.deliveries_out});
}

void Daemon::OnSignal(int signal, Time now) {
  if (signal == SIGHUP) {
    if (!shutdown_.draining()) Reload();
    return;
  }
  TL_LOG(info, "signal", {"name", ::sigabbrev_np(signal)});
  Act(shutdown_.OnSignal(now, config::DrainTimeout(configuration_.document.router)));
}

void Daemon::Act(Shutdown::Step step) {
  switch (step) {
    case Shutdown::Step::kNone:
      return;
    case Shutdown::Step::kDrain: {
      const Duration limit = config::DrainTimeout(configuration_.document.router);
      surroundings_.notifier.Send(Concat("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=",
                                         (limit + kStopMargin).ns / kMicrosecond.ns));
      router_->Drain(limit);
      return;
    }
    case Shutdown::Step::kStop:
      router_->Stop();
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
  auto configuration = LoadConfiguration(file_, MillisecondsSince1970() / 1000, &configuration_);
  if (!configuration.ok()) {
    LogLines(LogLevel::kError, View(configuration.status().message()));
    TL_LOG(error, "not reloaded: nothing was changed", {"file", file_});
  } else if (HasStaleCertificate(*configuration)) {
    LogLines(LogLevel::kError, configuration->warnings);
    TL_LOG(error, "not reloaded: a new certificate is not in its dates", {"file", file_});
  } else {
    Adopt(*std::move(configuration));
  }
  surroundings_.notifier.Send("READY=1");
}

void Daemon::Adopt(Configuration configuration) {
  surroundings_.set_levels(configuration.document.log);
  LogLines(LogLevel::kWarning, configuration.warnings);
  WarnOfRestart(configuration.document);
  configuration_ = std::move(configuration);
  ExpectConnectors();
  size_t failed = 0;
  for (const auto& failure : reconciler_->Reconcile(
           {configuration_.profiles, configuration_.stores},
           reconcile::ResourcesOf(configuration_.document, configuration_.passwords))) {
    ++failed;
    TL_LOG(error, "not applied: stays as it was", {"resource", failure.path},
           {"error", View(failure.status.message())});
  }
  TakeEvents();
  TellCertificates();
  TL_LOG(info, "reloaded", {"file", file_}, {"not_applied", failed});
}

// Only looks at files, unless something has changed.
void Daemon::FollowUsers(Time now) {
  if (configuration_.stores.empty() || shutdown_.draining()) {
    users_due_ = kNever;
    return;
  }
  if (users_due_ == kNever) users_due_ = now + kUsersInterval;
  if (now < users_due_) return;
  users_due_ = now + kUsersInterval;
  for (const auto& [id, resource] : configuration_.document.user_stores) {
    if (users::StampOf(resource.spec()) == reconciler_->UsersStamp(id)) {
      users_troubles_.erase(id);
      continue;
    }
    const users::Store* const before = &configuration_.stores[id];
    absl::StatusOr<users::Store> store = users::LoadStore(resource.spec(), before);
    absl::Status status = store.ok() ? reconciler_->SetUsers(id, *store) : store.status();
    if (status.ok()) {
      users_troubles_.erase(id);
      TL_LOG(info, "users in force", {"user_store", id}, {"users", store->users->size()});
      configuration_.stores[id] = *std::move(store);
    } else if (std::exchange(users_troubles_[id], std::string(status.message())) !=
               View(status.message())) {
      TL_LOG(error, "users not read again: those read last stay in force", {"user_store", id},
             {"error", View(status.message())});
    }
  }
}

void Daemon::WarnOfRestart(const config::Document& wanted) const {
  const RouterSpec spec =
      config::ToSpec(wanted.router, {.host_name = HostName(), .version = surroundings_.version});
  const bool core_dumps = configuration_.document.router.core_dumps();
  if (spec != router_spec_ || wanted.router.core_dumps() != core_dumps) {
    TL_LOG(warning, "changes of the router section need a restart", {"file", file_});
  }
  if (wanted.log.format() != configuration_.document.log.format()) {
    TL_LOG(warning, "a change of log.format needs a restart", {"file", file_});
  }
}

bool Daemon::HasStaleCertificate(const Configuration& configuration) const {
  for (const auto& [id, profile] : configuration.profiles) {
    const bool changed = reconciler_->TlsFingerprint(id) != profile.fingerprint;
    if (changed && !profile.dates.ok()) return true;
  }
  return false;
}

void Daemon::ExpectConnectors() {
  std::vector<std::string> gone;
  for (const auto& [name, status] : board_.connectors()) {
    if (!configuration_.document.connectors.contains(name)) gone.push_back(name);
  }
  for (const std::string& name : gone) board_.Forget(name);
  for (const auto& [name, connector] : configuration_.document.connectors) board_.Expect(name);
}

void Daemon::TakeEvents() {
  for (const RouterEvent& event : router_->TakeEvents()) {
    board_.Apply(event, MillisecondsSince1970());
    if (const auto* drained = std::get_if<Drained>(&event)) {
      TL_LOG(info, "drained", {"complete", drained->complete}, {"unsettled", drained->unsettled});
      Act(shutdown_.OnDrained());
    }
  }
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
         {"connectors", configuration_.document.connectors.size()});
  if (!file_.empty()) return;
  TL_LOG(info, "serving clients of this machine, as no --config was given",
         {"try", Concat("an AMQP 1.0 client at amqp://",
                        addresses.empty() ? "127.0.0.1:5672" : addresses.front())},
         {"then", "trunkd --help; README.md, \"Start\"; /usr/share/doc/trunkline/samples"});
}

void Daemon::TellCertificates() {
  for (const auto& [id, profile] : configuration_.profiles) {
    if (profile.leaf.subject.empty()) continue;
    if (std::exchange(certificates_told_[id], profile.fingerprint) == profile.fingerprint) continue;
    TL_LOG(info, "certificate in force", {"tls_profile", id}, {"subject", profile.leaf.subject},
           {"not_after", View(absl::FormatTime("%Y-%m-%dT%H:%M:%SZ",
                                               absl::FromUnixSeconds(profile.leaf.not_after),
                                               absl::UTCTimeZone()))},
           {"sha256", profile.leaf.sha256});
  }
}

}  // namespace trunkline::daemon
