#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace trunkline::sim {

struct RunPlan {
  uint64_t seed = 1;
  size_t shards = 1;
  bool trace = false;
};

struct RunResult {
  std::vector<std::string> violations;  // the first few; empty: all is well
  uint64_t digest = 0;                  // of what happened: the same for the same plan
  uint64_t messages = 0;                // that were begun
  uint64_t crossed = 0;                 // pieces of mail between shards
};

// One random run: clients come, misbehave and go while things fail; then all is healed and must
// come to rest; then every producer sends probes, which must arrive; then everybody goes and
// nothing may be left. All of it is given by the seed.
RunResult Run(const RunPlan& plan);

}  // namespace trunkline::sim
