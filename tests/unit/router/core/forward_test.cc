#include "router/core/forward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

namespace trunkline::core {
namespace {

using testing::ElementsAre;

class ForwardTest : public testing::Test {
 protected:
  // A consumer's link with so much outstanding.
  OutLink& Add(uint32_t queued, uint32_t unsettled = 0, uint32_t capacity = 250) {
    OutLink& link = links_.Emplace();
    link.queued = queued;
    link.unsettled = unsettled;
    link.capacity = capacity;
    targets_.push_back({.link = links_.HandleOf(link), .load = nullptr});
    return link;
  }
  // Position of a choice among the targets; -1: nobody.
  int IndexOf(const OutLink* link) const {
    for (size_t i = 0; i < targets_.size(); ++i) {
      if (link != nullptr && links_.Find(targets_[i].link) == link) return static_cast<int>(i);
    }
    return -1;
  }
  int Closest() { return IndexOf(ChooseClosest(targets_, links_, cursor_)); }
  int Balanced() { return IndexOf(ChooseBalanced(targets_, links_, cursor_, random_)); }

  SlotMap<OutLink> links_;
  std::vector<LocalTarget> targets_;
  uint32_t cursor_ = 0;
  Random random_{1};
};

TEST_F(ForwardTest, FindsNobodyAmongNone) {
  EXPECT_EQ(Closest(), -1);
  EXPECT_EQ(Balanced(), -1);
}

TEST_F(ForwardTest, ClosestTakesTurnsWhateverTheLoad) {
  Add(0);
  Add(1000);
  Add(5);
  EXPECT_THAT((std::vector<int>{Closest(), Closest(), Closest(), Closest()}),
              ElementsAre(0, 1, 2, 0));
}

TEST_F(ForwardTest, ClosestSkipsWhoIsGone) {
  Add(0);
  const Handle<OutLink> gone = links_.HandleOf(Add(0));
  Add(0);
  links_.Erase(gone);
  EXPECT_THAT((std::vector<int>{Closest(), Closest(), Closest()}), ElementsAre(0, 2, 0));
  links_.Erase(targets_[0].link);
  links_.Erase(targets_[2].link);
  EXPECT_EQ(Closest(), -1);
}

TEST_F(ForwardTest, SurvivesACursorBeyondTheEnd) {
  Add(3);
  Add(2);
  cursor_ = 1000;
  EXPECT_EQ(Closest(), 0);
  cursor_ = 1000;
  EXPECT_EQ(Balanced(), 1);
}

TEST_F(ForwardTest, BalancedTakesTheLeastOutstanding) {
  Add(3, 3);
  Add(2, 3);
  Add(4, 4);
  EXPECT_EQ(Balanced(), 1);
}

TEST_F(ForwardTest, BalancedTakesTheFirstOfEquals) {
  Add(2, 1);
  Add(1, 1);
  Add(0, 2);
  EXPECT_EQ(Balanced(), 1);
  EXPECT_EQ(Balanced(), 1) << "no rotation without an idle consumer";
}

TEST_F(ForwardTest, BalancedStopsAtAnIdleConsumerAndRotates) {
  Add(0);
  Add(0);
  Add(0);
  EXPECT_THAT((std::vector<int>{Balanced(), Balanced(), Balanced(), Balanced()}),
              ElementsAre(0, 1, 2, 0));
}

TEST_F(ForwardTest, BalancedPrefersThoseBelowTheirCapacity) {
  Add(0, 10, 10);
  Add(20, 0, 250);
  EXPECT_EQ(Balanced(), 1) << "10 of 10 is full, 20 of 250 is not";
  links_.Get(targets_[0].link).unsettled = 9;
  EXPECT_EQ(Balanced(), 0);
}

TEST_F(ForwardTest, BalancedTakesTheLeastIneligibleWhenAllAreFull) {
  Add(30, 0, 10);
  Add(12, 0, 10);
  Add(12, 0, 12);
  EXPECT_EQ(Balanced(), 1);
}

TEST_F(ForwardTest, BalancedSkipsWhoIsGone) {
  Add(0);
  Add(7);
  links_.Erase(targets_[0].link);
  EXPECT_EQ(Balanced(), 1);
}

TEST_F(ForwardTest, ComparesAllUpToTheLimitAndTwoBeyond) {
  for (size_t i = 0; i < kBalancedExactMax; ++i) Add(i == 40 ? 1 : 9);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Balanced(), 40);
  Add(9);
  std::map<int, int> chosen;
  for (int i = 0; i < 300; ++i) ++chosen[Balanced()];
  EXPECT_GT(chosen.size(), 20u) << "by chance";
  EXPECT_LT(chosen[40], 60) << "not always the best";
}

TEST_F(ForwardTest, NeverTakesTheMostLoadedOfMany) {
  for (size_t i = 0; i <= kBalancedExactMax; ++i) Add(i == 7 ? 1 : 0);
  for (int i = 0; i < 50'000; ++i) ASSERT_NE(Balanced(), 7);
}

// However many there are, a message costs the same.
TEST_F(ForwardTest, ComparesTheNextWhenTheTwoAreFullOrGone) {
  constexpr int kRounds = 10;
  for (size_t i = 1; i < kRounds * kBalancedExactMax; ++i) Add(10, 0, 10);
  Add(1, 0, 10);
  const int free = static_cast<int>(targets_.size()) - 1;
  int found = 0;
  for (int i = 0; i < 10 * kRounds; ++i) found += Balanced() == free;
  EXPECT_GE(found, 10) << "once in a round";
  EXPECT_LE(found, 20) << "plus what chance may find";
  for (int i = 0; i < free; ++i) links_.Erase(targets_[static_cast<size_t>(i)].link);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Balanced(), free);
  links_.Erase(targets_.back().link);
  EXPECT_EQ(Balanced(), -1);
}

TEST_F(ForwardTest, ComparesAllUpToTheLimitWhenAllAreFull) {
  for (size_t i = 1; i < kBalancedExactMax; ++i) Add(10, 0, 10);
  Add(9, 0, 10);
  const int free = static_cast<int>(targets_.size()) - 1;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Balanced(), free);
}

// --- among the targets of all shards

// Chooses in shard 1.
class AnywhereTest : public testing::Test {
 protected:
  // A consumer's link in `shard`, after all that were added before.
  void Add(ShardId shard, uint32_t outstanding, uint32_t capacity = 250) {
    OutLink& link = links_.Emplace();
    link.unsettled = outstanding;
    auto load = std::make_shared<LinkLoad>();
    load->Add(static_cast<int32_t>(outstanding));
    if (route_.local.size() <= shard) route_.local.resize(shard + size_t{1});
    route_.local[shard].targets.push_back(
        {.link = links_.HandleOf(link), .load = load, .capacity = capacity});
    targets_.push_back(route_.local[shard].targets.back());
    ++route_.local_count;
  }
  int Choose(Treatment treatment) {
    route_.treatment = treatment;
    const Choice choice = ChooseAnywhere(route_, 1, links_, cursor_, random_);
    if (choice.target == nullptr) return -1;
    EXPECT_EQ(choice.link != nullptr, choice.shard == 1);
    for (size_t i = 0; i < targets_.size(); ++i) {
      if (targets_[i].link == choice.target->link) return static_cast<int>(i);
    }
    return -2;
  }
  int Closest() { return Choose(Treatment::kClosest); }
  int Balanced() { return Choose(Treatment::kBalanced); }

  SlotMap<OutLink> links_;
  Route route_;
  std::vector<LocalTarget> targets_;
  uint32_t cursor_ = 0;
  Random random_{1};
};

TEST_F(AnywhereTest, FindsNobodyAmongNone) {
  EXPECT_EQ(Closest(), -1);
  Add(1, 0);
  links_.Erase(targets_[0].link);
  EXPECT_EQ(Closest(), -1);
  EXPECT_EQ(Balanced(), -1);
}

TEST_F(AnywhereTest, ClosestTakesTurnsOverAllShards) {
  Add(0, 9);
  Add(1, 0);
  Add(1, 5);
  Add(4, 0);
  EXPECT_THAT((std::vector<int>{Closest(), Closest(), Closest(), Closest(), Closest()}),
              ElementsAre(0, 1, 2, 3, 0));
  links_.Erase(targets_[1].link);
  EXPECT_THAT((std::vector<int>{Closest(), Closest(), Closest()}), ElementsAre(2, 3, 0));
  cursor_ = 1000;
  EXPECT_EQ(Closest(), 0);
}

TEST_F(AnywhereTest, BalancedTakesTheLeastOutstandingOfAllShards) {
  Add(0, 6);
  Add(1, 5);
  Add(3, 4);
  EXPECT_EQ(Balanced(), 2);
  targets_[2].load->AddMailed(2);
  EXPECT_EQ(Balanced(), 1);
  links_.Erase(targets_[1].link);
  EXPECT_EQ(Balanced(), 0);
}

TEST_F(AnywhereTest, BalancedRotatesOverIdleOnes) {
  Add(0, 0);
  Add(1, 0);
  Add(2, 0);
  EXPECT_THAT((std::vector<int>{Balanced(), Balanced(), Balanced(), Balanced()}),
              ElementsAre(0, 1, 2, 0));
}

TEST_F(AnywhereTest, BalancedPrefersThoseBelowTheirCapacity) {
  Add(0, 10, 10);
  Add(2, 20);
  EXPECT_EQ(Balanced(), 1);
}

TEST_F(AnywhereTest, ComparesAllUpToTheLimitAndTwoBeyond) {
  for (size_t i = 0; i < kBalancedExactMax; ++i) Add(static_cast<ShardId>(i / 30), i == 40 ? 1 : 9);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Balanced(), 40);
  Add(3, 9);
  std::map<int, int> chosen;
  for (int i = 0; i < 300; ++i) ++chosen[Balanced()];
  EXPECT_GT(chosen.size(), 20u) << "by chance";
  EXPECT_LT(chosen[40], 60) << "not always the best";
}

TEST_F(AnywhereTest, ComparesTheNextWhenTheTwoAreFull) {
  constexpr int kRounds = 10;
  for (size_t i = 1; i < kRounds * kBalancedExactMax; ++i) {
    Add(static_cast<ShardId>(i * 4 / (kRounds * kBalancedExactMax)), 10, 10);
  }
  Add(3, 1, 10);
  const int free = static_cast<int>(targets_.size()) - 1;
  int found = 0;
  for (int i = 0; i < 10 * kRounds; ++i) found += Balanced() == free;
  EXPECT_GE(found, 10) << "once in a round";
  EXPECT_LE(found, 20) << "plus what chance may find";
}

}  // namespace
}  // namespace trunkline::core
