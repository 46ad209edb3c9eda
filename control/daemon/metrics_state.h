#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/gate.h"
#include "control/api/tally.h"
#include "control/certs/profile.h"
#include "control/daemon/status_board.h"
#include "control/metrics/state.h"
#include "router/observe.h"

namespace trunkline::daemon {

// What control counts for metrics. Thread: control.
class MetricsState {
 public:
  MetricsState() {
    SetCalls({}, [](api::Refused) { return uint64_t{0}; });
  }

  // The configuration that was read at `now_ms` is in force; at the start, and after a reload.
  void OnStarted(int64_t now_ms);
  void OnReloaded(int64_t now_ms, bool complete);
  // Nothing was changed. `problems`: why, with the paths of resources.
  void OnReloadFailed(std::string_view problems);
  void OnDrain() { state_.draining = true; }
  // What the API counts by now: calls that came in, and how many were not let in, by why.
  void SetCalls(const api::Tally& tally, const std::function<uint64_t(api::Refused)>& refused);
  // Resources that are not in force as they should be, and writes of the state.
  void SetStore(uint64_t failed, uint64_t writes_ok, uint64_t writes_failed);

  // A TLS profile that is in force, as the store has it.
  struct Profile {
    const certs::Profile* profile = nullptr;
    uint64_t revision = 0;  // the router's number of it
    uint64_t refused = 0;   // certificates that were not taken (store::Store::TlsRefused)
  };
  // All of it by now, with what is taken from others. `profiles` by id.
  const metrics::ControlState& Update(const std::map<std::string, Profile>& profiles,
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
