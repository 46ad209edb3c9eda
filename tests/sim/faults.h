#pragma once

#include <vector>

#include "tests/sim/world.h"

namespace trunkline::sim {

// What goes wrong while a run lasts: wires that are clogged and released in another order
// (swizzle-clog), wires that are cut, mail that is late, workers that do not get to run.
class Faults {
 public:
  explicit Faults(World& world) : world_(world), paused_(world.shards()) {}

  // Begins, or ends, something.
  void Step();
  // Everything works again.
  void Heal();

  bool IsPaused(size_t worker) const { return paused_[worker]; }

 private:
  void Clog();
  void Release();

  World& world_;
  std::vector<Pipe*> clogged_;
  std::vector<Ring*> late_;
  std::vector<bool> paused_;
};

}  // namespace trunkline::sim
