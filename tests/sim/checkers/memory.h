#pragma once

#include <cstdint>

#include "tests/sim/verdict.h"
#include "tests/sim/worker.h"

namespace trunkline::sim {

// The blocks of a worker stay below what its connections are allowed to pin, at any time; and when
// everybody is gone, nothing is left of anything.
//
// The formula: received payload is bounded by session windows. What it pins is counted in blocks: a
// slice of 513 bytes may hold one of 64 KiB, but all links of a connection together hold no more
// slices than their credit, in blocks that were read in a row. Besides, a connection may have bytes
// that are read and not parsed (one frame, two blocks), and output up to the high mark and one
// quantum.
class Memory {
 public:
  explicit Memory(Verdict& verdict) : verdict_(verdict) {}

  // What the connections of one worker are allowed.
  struct Allowance {
    uint64_t sessions = 0;      // begun by clients, each with a window
    uint64_t window_bytes = 0;  // of all these together
    uint64_t connections = 0;
    uint64_t credit = 0;  // deliveries that producers may have under way
  };
  void OnTurn(Worker& worker, const Allowance& allowance);

  // All clients are gone and everything has come to rest.
  void AtEnd(Worker& worker);

 private:
  void Zero(const Worker& worker, const char* what, int64_t value);

  Verdict& verdict_;
};

}  // namespace trunkline::sim
