#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/daemon/status_board.h"
#include "control/metrics/state.h"
#include "control/store/store.h"
#include "router/observe.h"

namespace trunkline::daemon {

// What control counts for metrics. Thread: control.
class MetricsState {
 public:
  // The configuration that was read at `now_ms` is in force; at the start, and after a reload.
  void OnStarted(int64_t now_ms);
  void OnReloaded(int64_t now_ms, bool complete);
  // Nothing was changed. `problems`: why, with the paths of resources.
  void OnReloadFailed(std::string_view problems);
  void OnDrain() { state_.draining = true; }

  // All of it by now, with what is taken from others.
  const metrics::ControlState& Update(const store::Store& store,
                                      const std::vector<TlsConnections>& connections,
                                      const StatusBoard& board);

 private:
  // A TLS profile that is there.
  struct Certificate {
    uint64_t fingerprint = 0;
    uint64_t reloads_failed = 0;  // of the whole configuration, because of it
    metrics::CertificateState state;
  };

  std::map<std::string, Certificate> certificates_;
  metrics::ControlState state_;
};

}  // namespace trunkline::daemon
