#include "router/base/spsc_ring.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

namespace trunkline {
namespace {

TEST(SpscRing, GivesBackWhatWasPushedInOrder) {
  SpscRing<int> ring(4);
  EXPECT_TRUE(ring.Empty());
  EXPECT_EQ(ring.Front(), nullptr);
  EXPECT_TRUE(ring.TryPush(1));
  EXPECT_TRUE(ring.TryPush(2));
  EXPECT_FALSE(ring.Empty());
  ASSERT_NE(ring.Front(), nullptr);
  EXPECT_EQ(*ring.Front(), 1);
  ring.Pop();
  int value = 0;
  EXPECT_TRUE(ring.TryPop(value));
  EXPECT_EQ(value, 2);
  EXPECT_FALSE(ring.TryPop(value));
}

TEST(SpscRing, RefusesOneMoreThanItsCapacityAndLeavesItWithTheCaller) {
  SpscRing<std::unique_ptr<int>> ring(3);  // rounded up
  ASSERT_EQ(ring.capacity(), 4u);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(ring.TryPush(std::make_unique<int>(i)));
  auto fifth = std::make_unique<int>(4);
  EXPECT_FALSE(ring.TryPush(std::move(fifth)));
  ASSERT_NE(fifth, nullptr);
  ring.Pop();  // refused without a look at the index; now there has to be one
  EXPECT_TRUE(ring.TryPush(std::move(fifth)));
  EXPECT_EQ(**ring.Front(), 1);
}

TEST(SpscRing, HoldsOneElementIfThatIsWhatIsAskedFor) {
  SpscRing<int> ring(1);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(ring.TryPush(i));
    ASSERT_FALSE(ring.TryPush(-1));
    ASSERT_EQ(*ring.Front(), i);
    ring.Pop();
  }
}

TEST(SpscRing, DestroysEachElementOnce) {
  auto witness = std::make_shared<int>(0);
  {
    SpscRing<std::shared_ptr<int>> ring(8);
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(ring.TryPush(witness));
    EXPECT_EQ(witness.use_count(), 7);
    ring.Pop();
    EXPECT_EQ(witness.use_count(), 6);
  }
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(SpscRing, CarriesEverythingInOrderFromThreadToThread) {
  constexpr int kCount = 200'000;
  SpscRing<std::unique_ptr<int>> ring(64);
  std::thread producer([&] {
    for (int i = 0; i < kCount; ++i) {
      auto value = std::make_unique<int>(i);
      while (!ring.TryPush(std::move(value))) std::this_thread::yield();
    }
  });
  int wrong = 0;
  for (int i = 0; i < kCount; ++i) {
    std::unique_ptr<int> value;
    while (!ring.TryPop(value)) std::this_thread::yield();
    wrong += *value != i;
  }
  producer.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(ring.Empty());
}

// The promise that sleeping consumers rely on: each either sees what was pushed, or is seen asleep.
TEST(SpscRing, NeverLosesAWakeUp) {
  constexpr int kCount = 50'000;
  SpscRing<int> ring(2);
  std::atomic<bool> sleeping{false};
  std::atomic<int> wakes{0};
  std::thread producer([&] {
    for (int i = 0; i < kCount; ++i) {
      while (!ring.TryPush(i)) std::this_thread::yield();
      if (sleeping.exchange(false)) wakes.fetch_add(1);
    }
  });
  int slept = 0;
  int value = 0;
  for (int taken = 0; taken < kCount;) {
    if (ring.TryPop(value)) {
      ++taken;
      continue;
    }
    sleeping.store(true);
    if (!ring.Empty()) {
      if (!sleeping.exchange(false)) ++slept;  // woken meanwhile: consume that wake-up
    } else {
      ++slept;
    }
    while (wakes.load() < slept) std::this_thread::yield();  // a lost wake-up hangs here
  }
  producer.join();
  EXPECT_EQ(value, kCount - 1);
}

}  // namespace
}  // namespace trunkline
