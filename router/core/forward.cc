#include "router/core/forward.h"

namespace trunkline::core {
namespace {

// How good a choice a link is; smaller is better: those below capacity first, then the least
// outstanding.
uint64_t Rank(const OutLink& link) {
  const uint64_t value = link.Outstanding();
  return link.capacity > value ? value : value | uint64_t{1} << 32;
}

uint32_t Start(const std::vector<LocalTarget>& targets, uint32_t cursor) {
  return cursor < targets.size() ? cursor : 0;
}

OutLink* ChooseByRank(const std::vector<LocalTarget>& targets, SlotMap<OutLink>& links,
                      uint32_t& cursor) {
  const uint32_t count = static_cast<uint32_t>(targets.size());
  const uint32_t start = Start(targets, cursor);
  OutLink* best = nullptr;
  uint64_t best_rank = UINT64_MAX;
  uint32_t index = start;
  for (uint32_t i = 0; i < count; ++i) {
    OutLink* link = links.Find(targets[index].link);
    if (++index == count) index = 0;
    if (link == nullptr) continue;
    const uint64_t rank = Rank(*link);
    if (rank < best_rank) {
      best = link;
      best_rank = rank;
    }
    if (rank == 0) {
      cursor = start + 1;
      break;
    }
  }
  return best;
}

// The better of two different ones; null unless one of them is there and below its capacity.
// REQUIRES: at least two targets.
OutLink* ChooseOfTwo(const std::vector<LocalTarget>& targets, SlotMap<OutLink>& links,
                     Random& random) {
  OutLink* best = nullptr;
  const uint64_t first = random.Below(targets.size());
  const uint64_t second = random.Below(targets.size() - 1);
  for (const uint64_t index : {first, second < first ? second : second + 1}) {
    OutLink* link = links.Find(targets[index].link);
    if (link == nullptr || link->Outstanding() >= link->capacity) continue;
    if (best == nullptr || link->Outstanding() < best->Outstanding()) best = link;
  }
  return best;
}

}  // namespace

OutLink* ChooseClosest(const std::vector<LocalTarget>& targets, SlotMap<OutLink>& links,
                       uint32_t& cursor) {
  const uint32_t count = static_cast<uint32_t>(targets.size());
  uint32_t index = Start(targets, cursor);
  for (uint32_t i = 0; i < count; ++i) {
    OutLink* link = links.Find(targets[index].link);
    if (++index == count) index = 0;
    if (link == nullptr) continue;
    cursor = index;
    return link;
  }
  return nullptr;
}

OutLink* ChooseBalanced(const std::vector<LocalTarget>& targets, SlotMap<OutLink>& links,
                        uint32_t& cursor, Random& random) {
  if (targets.size() > kBalancedExactMax) {
    OutLink* link = ChooseOfTwo(targets, links, random);
    if (link != nullptr) return link;
  }
  return ChooseByRank(targets, links, cursor);
}

}  // namespace trunkline::core
