#include "router/base/memory_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace trunkline {
namespace {

using Change = MemoryBudget::Change;

TEST(MemoryBudget, AnEpisodeBeginsOneByteAboveTheLimit) {
  MemoryBudget budget(800);
  EXPECT_EQ(budget.Add(800), Change::kNone);
  EXPECT_FALSE(budget.pressed());
  EXPECT_EQ(budget.Add(1), Change::kBegun);
  EXPECT_TRUE(budget.pressed());
  EXPECT_EQ(budget.used(), 801u);
  EXPECT_EQ(budget.Add(1), Change::kNone);
}

TEST(MemoryBudget, AnEpisodeEndsBelowSevenEighths) {
  MemoryBudget budget(800);
  ASSERT_EQ(budget.Add(801), Change::kBegun);
  EXPECT_EQ(budget.Add(-101), Change::kNone);
  EXPECT_TRUE(budget.pressed());
  EXPECT_EQ(budget.Add(-1), Change::kEnded);
  EXPECT_FALSE(budget.pressed());
  EXPECT_EQ(budget.Add(101), Change::kNone);
  EXPECT_EQ(budget.Add(1), Change::kBegun);
}

TEST(MemoryBudget, WithoutALimitThereAreNoEpisodes) {
  MemoryBudget budget(0);
  EXPECT_EQ(budget.Add(INT64_MAX), Change::kNone);
  EXPECT_FALSE(budget.pressed());
}

TEST(MemoryBudget, AnotherLimitBeginsOrEndsAnEpisodeAtOnce) {
  MemoryBudget budget(800);
  ASSERT_EQ(budget.Add(700), Change::kNone);
  EXPECT_EQ(budget.SetLimit(699), Change::kBegun);
  EXPECT_EQ(budget.SetLimit(600), Change::kNone);
  EXPECT_TRUE(budget.pressed());
  // 700 is not below seven eighths of 800.
  EXPECT_EQ(budget.SetLimit(800), Change::kNone);
  EXPECT_EQ(budget.SetLimit(801), Change::kEnded);
  EXPECT_FALSE(budget.pressed());
  ASSERT_EQ(budget.SetLimit(1), Change::kBegun);
  EXPECT_EQ(budget.SetLimit(0), Change::kEnded);
  EXPECT_EQ(budget.limit(), 0u);
}

TEST(MemoryBudget, CountsWhatSeveralThreadsHold) {
  MemoryBudget budget(1000);
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20'000; ++round) {
        for (const int64_t bytes : {400, -400}) {
          const Change change = budget.Add(bytes);
          begun += change == Change::kBegun;
          ended += change == Change::kEnded;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(budget.used(), 0u);
  EXPECT_FALSE(budget.pressed());
  EXPECT_EQ(begun, ended);
}

}  // namespace
}  // namespace trunkline
