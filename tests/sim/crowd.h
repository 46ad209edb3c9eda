#pragma once

#include "tests/sim/world.h"

namespace trunkline::sim {

// Idle consumers that take nearly all places which one shard has for consumers, so that whoever
// comes gets the place of somebody who has just left, while mail for that one is under way.
class Crowd {
 public:
  Crowd(World& world, core::ShardId shard);

  core::ShardId shard() const { return peer_.plan.client.shard; }
  // Comes to, or leaves, as other consumers leave and come.
  void Step();

 private:
  size_t taken() const;

  World& world_;
  Peer& peer_;
};

}  // namespace trunkline::sim
