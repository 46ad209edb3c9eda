#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "router/core/ids.h"

namespace trunkline::net {

// What the system gives this process. Containers limit processors by quota and memory by group, and
// neither shows in what the machine has.
struct Machine {
  int processors = 1;         // that the scheduler may run it on
  double quota = 0;           // processors' worth of time; 0: no limit
  uint64_t memory_bytes = 0;  // of the machine; 0: not known
  uint64_t group_bytes = 0;   // that its group may use; 0: no limit
  bool operator==(const Machine&) const = default;
};

// `root` is put before the paths of /proc and /sys.
Machine ReadMachine(const std::string& root = "");

// A decision, and the reason for it in words for the log.
struct WorkerCount {
  int workers = 1;
  std::string reason;
};
inline constexpr int kWorkersAutoMax = int{core::kShardsMax};
// For `wanted` workers; 0: as many as the machine is good for, at most kWorkersAutoMax.
WorkerCount WorkersFor(int wanted, const Machine& machine);

// For a budget of `wanted` bytes; 0: 60 % of the memory there is. 0: no limit.
uint64_t MemoryBudgetFor(uint64_t wanted, const Machine& machine);

}  // namespace trunkline::net
