#include "control/metrics/probes.h"

#include "absl/strings/str_cat.h"

namespace trunkline::metrics {

std::string Health::Text(const char* good_word) const {
  return absl::StrCat("control: ", control.empty() ? good_word : control,
                      "\ndata: ", data.empty() ? good_word : data, "\n");
}

Health Live(const std::vector<WorkerMetrics>& workers, Time beat, Time now) {
  Health health;
  if (const Duration silence = now - beat; silence > kControlSilenceMax) {
    health.control = absl::StrCat("no turn for ", silence.ns / kSecond.ns, " s");
  }
  for (size_t i = 0; i < workers.size(); ++i) {
    if (workers[i].turn_began == kNever) continue;
    const Duration turn = now - workers[i].turn_began;
    if (turn <= kWorkerTurnMax) continue;
    absl::StrAppend(&health.data, health.data.empty() ? "" : ", ", "worker ", i,
                    " in one turn for ", turn.ns / kSecond.ns, " s");
  }
  return health;
}

Health Ready(const Health& live, const ControlState& state) {
  Health ready = live;
  if (!ready.data.empty()) return ready;
  if (!state.started) ready.data = "starting";
  if (state.draining) ready.data = "draining";
  return ready;
}

}  // namespace trunkline::metrics
