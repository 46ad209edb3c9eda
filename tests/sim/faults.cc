#include "tests/sim/faults.h"

namespace trunkline::sim {
namespace {

// Takes one at random out of `all`; null if there is none.
template <typename T>
T* TakeAny(std::vector<T*>& all, Random& random) {
  if (all.empty()) return nullptr;
  const size_t i = random.Below(all.size());
  T* one = all[i];
  all.erase(all.begin() + static_cast<ptrdiff_t>(i));
  return one;
}

}  // namespace

void Faults::Step() {
  Context& context = world_.context();
  const uint32_t dice = context.Between(0, 99);
  if (dice < 35) return Clog();
  if (dice < 65) return Release();
  if (dice < 80) {
    paused_[context.random.Below(paused_.size())] = true;
  } else if (dice < 97) {
    paused_[context.random.Below(paused_.size())] = false;
  } else if (!world_.peers().empty()) {
    world_.Cut(world_.peers()[context.random.Below(world_.peers().size())]);
  }
}

void Faults::Clog() {
  Context& context = world_.context();
  if (world_.shards() > 1 && context.Chance(40)) {
    const auto from = static_cast<core::ShardId>(context.random.Below(world_.shards()));
    const auto to = static_cast<core::ShardId>(context.random.Below(world_.shards()));
    Ring& ring = world_.rings().Between(from, to);
    if (!ring.late) late_.push_back(&ring);
    ring.late = true;
    return;
  }
  if (world_.peers().empty()) return;
  Wire& wire = *world_.peers()[context.random.Below(world_.peers().size())].wire;
  Pipe& pipe = context.Chance(50) ? wire.to_router : wire.to_client;
  if (pipe.is_cut() || pipe.stalled()) return;
  pipe.Stall(true);
  clogged_.push_back(&pipe);
}

void Faults::Release() {
  Random& random = world_.context().random;
  if (Ring* ring = TakeAny(late_, random)) ring->late = false;
  if (Pipe* pipe = TakeAny(clogged_, random)) pipe->Stall(false);
}

void Faults::Heal() {
  while (!late_.empty() || !clogged_.empty()) Release();
  paused_.assign(paused_.size(), false);
}

}  // namespace trunkline::sim
