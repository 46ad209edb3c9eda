#pragma once

#include "router/base/time.h"

namespace trunkline::daemon {

// The order in which trunkd ends: asked to → drain → stop. Decides only. Thread: control.
class Shutdown {
 public:
  enum class Step {
    kNone,
    kDrain,  // tell that we are stopping, then Router::Drain
    kStop,   // Router::Stop, then leave
  };

  // The first one drains, for at most `limit`; another one stops.
  Step OnSignal(Time now, Duration limit);
  // The router has nothing left, or its time is up.
  Step OnDrained();
  // Stops a drain that has not ended well after its limit.
  Step OnTime(Time now);

  bool draining() const { return deadline_ != kNever; }
  // When OnTime has to be called; kNever while running.
  Time deadline() const { return deadline_; }

 private:
  Time deadline_ = kNever;
};

}  // namespace trunkline::daemon
