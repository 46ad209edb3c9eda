#pragma once

#include <string>
#include <vector>

#include "control/metrics/state.h"
#include "router/base/time.h"
#include "router/metrics.h"

namespace trunkline::metrics {

// A turn of control or of a worker that takes longer means that it is stuck. Control may have to
// wait for files and for the router's threads (2 s each), a worker for nothing.
inline constexpr Duration kControlSilenceMax = Seconds(30);
inline constexpr Duration kWorkerTurnMax = Seconds(10);

// What is wrong with one part of the router; empty: nothing.
struct Health {
  std::string control;
  std::string data;

  bool good() const { return control.empty() && data.empty(); }
  // A line for each part: "data: ready", "control: no turn for 31 s".
  std::string Text(const char* good_word) const;
};

// Whether the process works. `beat` is control's last turn. Pure.
Health Live(const std::vector<WorkerMetrics>& workers, Time beat, Time now);

// Whether new clients are welcome: it works, has been started and does not drain. Pure.
Health Ready(const Health& live, const ControlState& state);

}  // namespace trunkline::metrics
