#include "tests/sim/crowd.h"

#include <algorithm>

namespace trunkline::sim {
namespace {

// Places that a shard has before it makes more: those of one chunk of its SlotMap.
constexpr size_t kPlaces = 64;
// Of these, left to others.
constexpr size_t kFree = 4;

}  // namespace

Crowd::Crowd(World& world, core::ShardId shard)
    : world_(world), peer_(world.Connect({.client = {.shard = shard}})) {
  // Others are about to come.
  constexpr size_t kOthers = 12;
  for (size_t n = kOthers; n < kPlaces - kFree; ++n) {
    peer_.client->AddReceiver({.address = "crowd", .shard = shard, .window = 0});
  }
}

void Crowd::Step() {
  Client& client = *peer_.client;
  if (client.over() || client.closing()) return;
  size_t places = taken();
  for (; places < kPlaces - kFree; ++places) {
    client.AddReceiver({.address = "crowd", .shard = shard(), .window = 0});
  }
  for (Receiver& receiver : client.receivers()) {
    if (places <= kPlaces - kFree) return;
    if (receiver.over() || !receiver.attached() || !receiver.link().alive) continue;
    receiver.Detach(true);
    --places;
  }
}

// As clients see it, or as the shard does: one of them is behind.
size_t Crowd::taken() const {
  size_t alive = 0;
  for (const ConsumerLink& consumer : world_.context().ledger.consumers()) {
    alive += consumer.alive && consumer.shard == shard();
  }
  const int64_t links = world_.worker(shard()).shard().stats().links_out.Get();
  return std::max(alive, static_cast<size_t>(links));
}

}  // namespace trunkline::sim
