#pragma once

#include <cstdint>

#include "router/base/time.h"

namespace trunkline::core {

// From this age on a delivery is delayed, and from the second on very much so.
inline constexpr Duration kDelayed = Seconds(1);
inline constexpr Duration kVeryDelayed = Seconds(10);
// From this age on a delivery is stuck (spec routing section 10).
inline constexpr Duration kStuckAge = Seconds(10);
// From this time without credit on a producer's link is blocked; a consumer's link, if deliveries
// have waited for its credit so long.
inline constexpr Duration kBlockedAge = Seconds(10);
// Between the beginnings of two rounds.
inline constexpr Duration kWatchInterval = Seconds(30);
// What one turn looks at, at most.
inline constexpr uint32_t kWatchSlice = 1024;

// How far a shard's search for stuck deliveries and blocked links has come. A round goes over all
// deliveries, then over the links of producers, then over those of consumers, a slice per turn.
//
// Owned by the Shard, whose watchdog.cc does the looking.
struct Watchdog {
  enum class Stage : uint8_t { kDeliveries, kProducers, kConsumers };

  Time begun;  // the round
  Time due;    // its next slice, or the next round
  Stage stage = Stage::kDeliveries;
  uint32_t at = 0;  // where in the stage
  // Links of producers that may come to be blocked: some lost its last credit since the round
  // began, or was seen without.
  bool dry = false;
  uint32_t blocked_consumers = 0;

  bool IsBetweenRounds() const { return stage == Stage::kDeliveries && at == 0; }
};

}  // namespace trunkline::core
