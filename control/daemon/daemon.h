#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "control/api/router_service.h"
#include "control/config/file_watch.h"
#include "control/daemon/connector_tests.h"
#include "control/daemon/control_api.h"
#include "control/daemon/control_loop.h"
#include "control/daemon/memory_trim.h"
#include "control/daemon/metrics_state.h"
#include "control/daemon/resource_api.h"
#include "control/daemon/shutdown.h"
#include "control/daemon/telemetry.h"
#include "control/daemon/trace_api.h"
#include "control/store/store.h"
#include "router/router.h"

namespace trunkline::daemon {

class Notifier;

// One record per line of `problems`, as a warning or an error.
void LogLines(LogLevel level, std::string_view problems);

// A running trunkd: starts the router, keeps it as the configuration says, ends it in order. All of
// control's work happens here, on one thread that never waits but in ControlLoop::Wait and for the
// router's answers.
//
// Owned by main. Thread: control, the process's first.
class Daemon {
 public:
  struct Surroundings {
    ControlLoop& loop;  // all of them outlive the daemon
    Notifier& notifier;
    std::string version;            // of trunkd
    std::string runtime_directory;  // of the user, $XDG_RUNTIME_DIR; empty: none
    // Puts the levels of a log section in force.
    std::function<void(const v1::LogSpec&)> set_levels;
    // Opens the file of a log section again (OpenLogFile).
    std::function<absl::Status(const v1::LogSpec&)> open_log;
    // Any thread.
    std::function<metrics::LogCounts()> log_counts;
    api::LogFeed& logs;
    uint64_t seed = 0;  // that nobody can guess
    size_t events_max = Router::kEventsMax;
  };

  // `file` is where `store` has its file from; empty: nowhere.
  Daemon(Surroundings surroundings, std::string file, std::unique_ptr<store::Store> store);

  // The router with everything that is configured; or why not, one problem per line.
  absl::Status Start();
  // Serves until a signal ends it. REQUIRES: Start succeeded.
  void Serve();

 private:
  absl::Status OpenApi();
  api::ConnectorService::Hooks ConnectorHooks();
  void OnSignal(int signal, Time now);
  void Act(Shutdown::Step step);
  // Asked for over the API: like the first SIGTERM; or a drain after which the process stays.
  void ShutDown(std::optional<Duration> limit);
  Duration DrainTimeout() const;
  void Drain(std::optional<Duration> limit);
  void OnDrained(const Drained& drained);
  // The API uses the newest certificate of its TLS profile.
  void FollowApiCertificate();
  void OpenLog();
  void Reload();
  void OnChanged(const std::vector<store::Difference>& differences);
  void OnRouterChanged(v1::Source source);
  void OnReloaded(const absl::StatusOr<store::Store::Reloaded>& reloaded);
  void WarnOfRestart() const;
  // FailedPrecondition: a certificate that is outside its dates would replace one that is in force.
  absl::Status CheckDates(const store::Configuration& loaded, const std::string& warnings) const;
  void ExpectConnectors();
  void TakeEvents();
  void TellStatus();
  void TellReady() const;
  void TellCertificates();
  void TellMetrics();
  // Metrics are served where the file says, with the newest certificate of their TLS profile
  // (daemon_metrics.cc).
  absl::Status ServeMetrics();
  void FollowMetricsCertificate();
  std::shared_ptr<const tls::Context> TlsContextOf(const std::string& profile) const;
  // What is looked at from time to time (daemon_follow.cc).
  void Follow(Time now);
  void FollowUsers(Time now);
  void FollowLosses();
  void FollowFile(Time now);
  void FollowFailures(Time now);

  const Surroundings surroundings_;
  const std::string file_;
  std::unique_ptr<Router> router_;  // the store uses it
  const api::MethodTable methods_;  // calls that wait in the store name theirs
  const std::unique_ptr<store::Store> store_;
  const v1::LogSpec log_spec_;            // as it was at the start
  std::string log_file_;                  // that was opened last, or tried
  const v1::ControlSpec control_spec_;    // likewise
  const bool core_dumps_;                 // likewise
  const RouterSpec router_spec_;          // likewise; its settings may be others by now
  std::unique_ptr<Telemetry> telemetry_;  // reads the router
  MetricsState metrics_;
  Time beat_due_ = kNever;  // while metrics are served
  StatusBoard board_;
  Random random_;  // of ids and tokens that callers see
  TraceApi trace_api_;
  std::unique_ptr<ResourceApi> resource_api_;
  std::unique_ptr<api::RouterService> router_service_;
  std::unique_ptr<ConnectorTests> connector_tests_;
  std::unique_ptr<api::ConnectorService> connector_service_;
  std::unique_ptr<ControlApi> api_;  // calls the services
  Shutdown shutdown_;
  Time status_due_ = kNever;  // when the service manager is told what board_ says
  std::string status_told_;
  std::map<std::string, uint64_t> certificates_told_;  // fingerprints, by profile
  Time users_due_ = kNever;                            // when user stores are looked at again
  config::FileWatch file_watch_;                       // of file_
  MemoryTrim memory_trim_{MemoryTrim::OfProcess()};
  bool reloading_ = false;
  Time retry_due_ = kNever;           // when what is not in force is tried again
  Duration retry_wait_ = Seconds(1);  // before the next time
  Duration drain_limit_;              // of the drain that Shutdown asks for
  bool draining_ = false;             // the router is told
  bool drained_ = false;
  bool done_ = false;
};

}  // namespace trunkline::daemon
