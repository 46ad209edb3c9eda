#pragma once

#include <cstdint>

#include "router/base/time.h"
#include "router/core/outbox.h"

namespace trunkline::net {

// Tells people of links with stuck deliveries, a line per link as long as these are few: a consumer
// that hangs may have thousands of producers.
//
// Owned by the Pilot. Thread: its.
class StuckLog {
 public:
  static constexpr uint32_t kLinesMax = 10;  // of one interval
  static constexpr Duration kInterval = Seconds(30);

  // True if it was worth a line.
  bool Take(const core::LinkStuck& link);

 private:
  Time until_;  // the end of the interval
  uint32_t lines_ = 0;
  uint64_t kept_back_ = 0;  // since the last line
};

}  // namespace trunkline::net
