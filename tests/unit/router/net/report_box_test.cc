#include "router/net/report_box.h"

#include <array>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace trunkline::net {
namespace {

ReportBox::Batch RoomAt(core::ShardId shard) {
  ReportBox::Batch batch;
  batch.push_back(MailboxHasRoom{shard});
  return batch;
}

core::ShardId ShardOf(const ReportBox::Batch& batch) {
  return std::get<MailboxHasRoom>(batch.at(0)).shard;
}

TEST(ReportBoxTest, OnlyWhoFindsItEmptyTellsThePilot) {
  ReportBox box;
  EXPECT_TRUE(box.Put(RoomAt(0)));
  EXPECT_FALSE(box.Put(RoomAt(1)));
  EXPECT_EQ(box.Take().size(), 2u);
  EXPECT_TRUE(box.Put(RoomAt(2)));
}

TEST(ReportBoxTest, BatchesComeOutInTheirOrder) {
  ReportBox box;
  for (core::ShardId i = 0; i < 5; ++i) box.Put(RoomAt(i));
  const auto batches = box.Take();
  ASSERT_EQ(batches.size(), 5u);
  for (core::ShardId i = 0; i < 5; ++i) EXPECT_EQ(ShardOf(batches[i]), i);
  EXPECT_TRUE(box.Take().empty());
}

// What nobody took is freed: the address sanitizer looks.
TEST(ReportBoxTest, WhatIsLeftInItGoesWithIt) {
  ReportBox box;
  box.Put(RoomAt(0));
}

TEST(ReportBoxTest, NothingOfManyThreadsIsLostAndEachKeepsItsOrder) {
  constexpr size_t kThreads = 3;
  constexpr uint64_t kEach = 20'000;
  ReportBox box;
  std::vector<std::thread> threads;
  std::atomic<size_t> told{0};
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&box, &told, t] {
      for (uint64_t i = 1; i <= kEach; ++i) {
        ReportBox::Batch batch;
        batch.push_back(ViewLeft{.shard = static_cast<core::ShardId>(t), .left = i});
        if (box.Put(std::move(batch))) ++told;
      }
    });
  }
  std::array<uint64_t, kThreads> last{};
  size_t taken = 0;
  size_t times = 0;
  while (taken < kThreads * kEach) {
    const auto batches = box.Take();
    times += batches.empty() ? 0 : 1;
    for (const auto& batch : batches) {
      const auto& view = std::get<ViewLeft>(batch.at(0));
      EXPECT_EQ(view.left, last[view.shard] + 1);
      last[view.shard] = view.left;
      ++taken;
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(told.load(), times) << "once for each time that there was something";
}

}  // namespace
}  // namespace trunkline::net
