#include "router/base/sample_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace trunkline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Time kNow{5'000'000'000};

std::vector<int> Take(SampleQueue<int>& queue) {
  std::vector<int> taken;
  queue.Take([&](int&& sample) { taken.push_back(sample); });
  return taken;
}

TEST(SampleQueue, HandsOverWhatIsThereWorkerByWorker) {
  SampleQueue<int> queue({.workers = 2});
  queue.Push(1, 3, 1);
  queue.Push(0, 1, 1);
  queue.Push(0, 2, 1);
  EXPECT_THAT(Take(queue), ElementsAre(1, 2, 3));
  EXPECT_THAT(Take(queue), IsEmpty());
}

TEST(SampleQueue, WakesOncePerLook) {
  int wakes = 0;
  SampleQueue<int> queue({.wake = [&] { ++wakes; }});
  queue.Push(0, 1, 1);
  queue.Push(0, 2, 1);
  EXPECT_EQ(wakes, 1);
  Take(queue);
  queue.Push(0, 3, 1);
  EXPECT_EQ(wakes, 2);
}

TEST(SampleQueue, DropsWhatIsTooMany) {
  SampleQueue<int> queue({.samples_max = 2});
  for (int i = 1; i <= 3; ++i) queue.Push(0, std::move(i), 1);
  EXPECT_EQ(queue.dropped(), 1u);
  EXPECT_THAT(Take(queue), ElementsAre(1, 2));
}

// At the limit one more may be made, as nobody knows how large it will be; beyond none.
TEST(SampleQueue, AdmitsNothingBeyondItsBytes) {
  SampleQueue<int> queue({.workers = 2, .bytes_max = 10});
  queue.Push(0, 1, 9);
  EXPECT_TRUE(queue.Admit(1, kNow));
  queue.Push(1, 2, 1);
  EXPECT_FALSE(queue.Admit(0, kNow));
  EXPECT_FALSE(queue.Admit(1, kNow));
  EXPECT_EQ(queue.dropped(), 2u);
  Take(queue);
  EXPECT_TRUE(queue.Admit(0, kNow));
}

// What found no place in the ring takes no bytes either.
TEST(SampleQueue, WhatIsDroppedHoldsNothing) {
  SampleQueue<int> queue({.samples_max = 1, .bytes_max = 10});
  queue.Push(0, 1, 1);
  for (int i = 0; i < 5; ++i) queue.Push(0, 2, 5);
  Take(queue);
  queue.Push(0, 3, 9);
  EXPECT_TRUE(queue.Admit(0, kNow));
}

TEST(SampleQueue, AdmitsSoManyPerSecondAndWorker) {
  SampleQueue<int> queue({.workers = 2, .per_second = 2});
  EXPECT_TRUE(queue.Admit(0, kNow));
  EXPECT_TRUE(queue.Admit(0, kNow + Milliseconds(999)));
  EXPECT_FALSE(queue.Admit(0, kNow + Milliseconds(999)));
  EXPECT_TRUE(queue.Admit(1, kNow));
  EXPECT_EQ(queue.limited(), 1u);
  EXPECT_TRUE(queue.Admit(0, kNow + Seconds(1)));
}

TEST(SampleQueue, ManyWorkersAndAReader) {
  SampleQueue<int> queue({.workers = 3, .samples_max = 16});
  constexpr int kEach = 20'000;
  std::vector<std::thread> workers;
  std::atomic<int> running{3};
  for (size_t worker = 0; worker < 3; ++worker) {
    workers.emplace_back([&, worker] {
      for (int i = 0; i < kEach; ++i) queue.Push(worker, std::move(i), 1);
      --running;
    });
  }
  size_t taken = 0;
  while (running > 0) taken += Take(queue).size();
  for (std::thread& worker : workers) worker.join();
  taken += Take(queue).size();
  EXPECT_EQ(taken + queue.dropped(), size_t{3 * kEach});
}

}  // namespace
}  // namespace trunkline
