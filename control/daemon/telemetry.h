#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "control/config/translate.h"
#include "control/http/server.h"
#include "control/metrics/endpoint.h"
#include "control/metrics/state.h"
#include "router/router.h"

namespace trunkline::daemon {

// Metrics and probes over HTTP, where and if the configuration says so. Its thread reads the
// router's counters and what it was told last; it waits for nobody, and nobody for it.
//
// Owned by the Daemon. Thread: control.
class Telemetry {
 public:
  // How often Beat has to be called while it serves.
  static constexpr Duration kBeatInterval = Seconds(1);

  // `router` and what `log` asks outlive it.
  Telemetry(const Router& router, metrics::Identity identity,
            std::function<metrics::LogCounts()> log);
  ~Telemetry();
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;

  // Serves at `place`, or not at all; in TLS if there is a context, that of the place's profile.
  // If only what is served there differs, the port and whoever is connected stay.
  // FailedPrecondition: cannot listen there; then it stays where it was. A place on the same port
  // as the one before can overlap it: that is then given up first, and taken again if it has to be.
  absl::Status Apply(const config::MetricsPlace& place,
                     std::shared_ptr<const tls::Context> context = nullptr);
  // The TLS profile that it serves with; empty: none.
  const std::string& tls_profile() const { return place_.tls_profile; }
  // What is in force of that profile: every handshake from here on shows it.
  void SetTlsContext(std::shared_ptr<const tls::Context> context);

  // Control has turned. Time of the monotonic clock.
  void Beat(Time now) { beat_ns_.store(now.ns, std::memory_order_relaxed); }
  // What scrapes and probes see from here on.
  void Tell(metrics::ControlState state);

  bool serving() const { return server_ != nullptr; }

 private:
  using TlsContext = std::shared_ptr<const tls::Context>;
  absl::Status Listen(const config::MetricsPlace& place, const TlsContext& context);

  std::atomic<int64_t> beat_ns_{0};
  http::Server::Stats stats_;
  metrics::Endpoint endpoint_;  // the server's while there is one
  metrics::ControlState told_;  // last
  config::MetricsPlace place_;
  TlsContext context_;  // of the place's profile
  std::unique_ptr<http::Server> server_;
};

}  // namespace trunkline::daemon
