#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "router/base/payload.h"
#include "router/conn/read_buffer.h"
#include "router/conn/stats.h"

namespace trunkline::conn {

// What the connections of one worker share, so that an idle connection holds next to nothing.
//
// Owned by the worker (or a test); outlives its drivers; the pool outlives it. Thread: the
// worker's.
struct Workspace {
  explicit Workspace(BlockPool& blocks) : pool(blocks), arena(blocks) {}

  BlockPool& pool;
  ReadArena arena;
  // Tags (DriverOptions::tag) of the drivers that have, or may have, something to flush: each at
  // most once between two calls of its Flush. Filled by the drivers whenever a shard or a peer made
  // them act; the worker swaps it out after Shard::Emit and calls Flush and writes for each. A tag
  // may be of a driver that is gone.
  std::vector<uint64_t> touched;
  // Gathers small frames into one TLS record.
  std::array<uint8_t, 16 * 1024> record;
  ConnStats stats;
};

}  // namespace trunkline::conn
