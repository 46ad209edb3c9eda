#pragma once

#include "router/base/payload.h"
#include "router/base/random.h"
#include "router/base/time.h"
#include "tests/sim/checkers/checkers.h"
#include "tests/sim/ledger.h"
#include "tests/sim/verdict.h"

namespace trunkline::sim {

// What all parts of a run share. One Random for everything: its numbers are the run.
struct Context {
  Context(uint64_t seed, bool trace) : random(seed), journal(trace) {}

  bool Chance(uint32_t percent) { return random.Below(100) < percent; }
  // At least `low`, at most `high`.
  uint32_t Between(uint32_t low, uint32_t high) {
    return low + static_cast<uint32_t>(random.Below(high - low + 1));
  }

  Random random;
  Time now{Seconds(1000).ns};
  Journal journal;
  Verdict verdict;
  Ledger ledger;
  Checkers checkers{ledger, verdict};
  BlockPool client_pool{UINT16_MAX};
};

// How clients behave.
enum class Mood : uint8_t {
  kWild,  // as they like
  kCalm,  // read and settle all they can, finish what they began, begin nothing
};

}  // namespace trunkline::sim
