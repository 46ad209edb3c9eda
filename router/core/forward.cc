#include "router/core/forward.h"

#include <algorithm>

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
    if (i >= kBalancedExactMax && best != nullptr) {
      cursor = index;
      break;
    }
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

uint32_t Start(const Route& route, uint32_t cursor) {
  return cursor < route.local_count ? cursor : 0;
}

// Steps through the targets of a route, shard by shard, round and round. REQUIRES: it has some.
class Walk {
 public:
  // Begins at the target of this number.
  Walk(const Route& route, ShardId here, SlotMap<OutLink>& links, uint64_t number)
      : route_(route), here_(here), links_(links) {
    while (number >= route_.local[shard_].size()) number -= route_.local[shard_++].size();
    index_ = number;
  }

  // Where it is; `link` is null as well if that one is gone.
  Choice Get() const {
    const LocalTarget& target = route_.local[shard_].targets[index_];
    return {shard_, &target, shard_ == here_ ? links_.Find(target.link) : nullptr};
  }
  bool IsGone(const Choice& choice) const {
    return choice.shard == here_ && choice.link == nullptr;
  }
  void Step() {
    for (++index_; index_ == route_.local[shard_].size(); index_ = 0) {
      if (++shard_ == route_.local.size()) shard_ = 0;
    }
  }

 private:
  const Route& route_;
  const ShardId here_;
  SlotMap<OutLink>& links_;
  ShardId shard_ = 0;
  size_t index_ = 0;
};

// As Rank of a link of this shard; those of others count what is in the mail to them, too.
uint64_t Rank(const Choice& choice) {
  const LocalTarget& target = *choice.target;
  int64_t value = target.load->mailed();
  value += choice.link != nullptr ? choice.link->Outstanding() : target.load->Get();
  const uint64_t outstanding = static_cast<uint64_t>(std::max<int64_t>(value, 0));
  return target.capacity > outstanding ? outstanding : outstanding | uint64_t{1} << 32;
}

Choice ChooseClosestAnywhere(const Route& route, Walk walk, uint32_t& cursor) {
  for (uint32_t i = 0; i < route.local_count; ++i, walk.Step()) {
    const Choice choice = walk.Get();
    if (walk.IsGone(choice)) continue;
    cursor = (Start(route, cursor) + i + 1) % route.local_count;
    return choice;
  }
  return {};
}

Choice ChooseByRankAnywhere(const Route& route, Walk walk, uint32_t& cursor) {
  const uint32_t start = Start(route, cursor);
  Choice best;
  uint64_t best_rank = UINT64_MAX;
  for (uint32_t i = 0; i < route.local_count; ++i, walk.Step()) {
    if (i >= kBalancedExactMax && best.target != nullptr) {
      cursor = (start + i) % route.local_count;
      break;
    }
    const Choice choice = walk.Get();
    if (walk.IsGone(choice)) continue;
    const uint64_t rank = Rank(choice);
    if (rank < best_rank) {
      best = choice;
      best_rank = rank;
    }
    if (rank == 0) {
      cursor = start + 1;
      break;
    }
  }
  return best;
}

// As ChooseOfTwo.
Choice ChooseOfTwoAnywhere(const Route& route, ShardId here, SlotMap<OutLink>& links,
                           Random& random) {
  Choice best;
  uint64_t best_rank = uint64_t{1} << 32;
  const uint64_t first = random.Below(route.local_count);
  const uint64_t second = random.Below(route.local_count - 1);
  for (const uint64_t number : {first, second < first ? second : second + 1}) {
    const Walk walk(route, here, links, number);
    const Choice choice = walk.Get();
    if (walk.IsGone(choice) || Rank(choice) >= best_rank) continue;
    best = choice;
    best_rank = Rank(choice);
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

Choice ChooseAnywhere(const Route& route, ShardId here, SlotMap<OutLink>& links, uint32_t& cursor,
                      Random& random) {
  if (route.local_count == 0) return {};
  const Walk walk(route, here, links, Start(route, cursor));
  if (route.local_count == 1) return walk.IsGone(walk.Get()) ? Choice{} : walk.Get();
  if (route.treatment == Treatment::kClosest) return ChooseClosestAnywhere(route, walk, cursor);
  if (route.local_count > kBalancedExactMax) {
    const Choice choice = ChooseOfTwoAnywhere(route, here, links, random);
    if (choice.target != nullptr) return choice;
  }
  return ChooseByRankAnywhere(route, walk, cursor);
}

}  // namespace trunkline::core
