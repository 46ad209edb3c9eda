#include "control/daemon/shutdown.h"

namespace trunkline::daemon {
namespace {

// For the connections to close once the limit is reached.
constexpr Duration kGrace = Seconds(5);

}  // namespace

Shutdown::Step Shutdown::OnSignal(Time now, Duration limit) {
  if (draining()) return Step::kStop;
  deadline_ = now + limit + kGrace;
  return Step::kDrain;
}

Shutdown::Step Shutdown::OnDrained() { return draining() ? Step::kStop : Step::kNone; }

Shutdown::Step Shutdown::OnTime(Time now) { return now >= deadline_ ? Step::kStop : Step::kNone; }

}  // namespace trunkline::daemon
