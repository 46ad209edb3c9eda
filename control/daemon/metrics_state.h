#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "control/certs/profile.h"
#include "control/daemon/status_board.h"
#include "control/metrics/state.h"

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
  const metrics::ControlState& Update(const std::map<std::string, certs::Profile>& profiles,
                                      const StatusBoard& board);

 private:
  // A TLS profile that is there.
  struct Certificate {
    uint64_t fingerprint = 0;
    metrics::CertificateState state;
  };

  std::map<std::string, Certificate> certificates_;
  metrics::ControlState state_;
};

}  // namespace trunkline::daemon
