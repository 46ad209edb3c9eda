#include "router/base/timer_wheel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "router/base/random.h"

namespace trunkline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Time Ms(int64_t n) { return Time{} + Milliseconds(n); }

std::vector<uint64_t> Advance(TimerWheel& wheel, Time now) {
  std::vector<uint64_t> expired;
  wheel.Advance(now, [&](uint64_t cookie) { expired.push_back(cookie); });
  return expired;
}

TEST(TimerWheel, ExpiresATimerAtItsDeadlineAndNotBefore) {
  TimerWheel wheel;
  wheel.Schedule(Ms(10), 7);
  EXPECT_EQ(wheel.NextDeadline(), Ms(10));
  EXPECT_THAT(Advance(wheel, Ms(10) - kMicrosecond), IsEmpty());
  EXPECT_THAT(Advance(wheel, Ms(10)), ElementsAre(7));
  EXPECT_THAT(Advance(wheel, Ms(20)), IsEmpty());
  EXPECT_EQ(wheel.NextDeadline(), kNever);
}

TEST(TimerWheel, RoundsADeadlineUpToTheMillisecond) {
  TimerWheel wheel;
  wheel.Schedule(Ms(10) + kMicrosecond, 7);
  EXPECT_EQ(wheel.NextDeadline(), Ms(11));
  EXPECT_THAT(Advance(wheel, Ms(10) + kMicrosecond * 999), IsEmpty());
  EXPECT_THAT(Advance(wheel, Ms(11)), ElementsAre(7));
}

TEST(TimerWheel, ExpiresInOrderOfTimeThenOfScheduling) {
  TimerWheel wheel;
  wheel.Schedule(Ms(300), 4);
  wheel.Schedule(Ms(5), 1);
  wheel.Schedule(Ms(200), 2);
  wheel.Schedule(Ms(300), 5);
  EXPECT_THAT(Advance(wheel, Ms(100)), ElementsAre(1));
  wheel.Schedule(Ms(300), 6);  // by another way to the same slot
  wheel.Schedule(Ms(250), 3);
  EXPECT_THAT(Advance(wheel, Ms(1000)), ElementsAre(2, 3, 4, 5, 6));
}

TEST(TimerWheel, KeepsTheOrderOfTiesOverAllDistances) {
  for (const int64_t deadline : {64, 4096, 262'144, 16'777'216, 4095, 300'000}) {
    TimerWheel wheel;
    uint64_t cookie = 0;
    std::vector<uint64_t> want;
    for (const int64_t before : {deadline, deadline / 2, int64_t{65}, int64_t{63}, int64_t{1}}) {
      if (before > deadline) continue;
      Advance(wheel, Ms(deadline - before));
      want.push_back(++cookie);
      wheel.Schedule(Ms(deadline), cookie);
    }
    EXPECT_EQ(Advance(wheel, Ms(deadline)), want) << deadline;
  }
}

TEST(TimerWheel, ExpiresWhatIsPastDueWithTheNextMillisecond) {
  TimerWheel wheel(Ms(50));
  wheel.Schedule(Ms(3), 1);
  wheel.Schedule(Ms(50), 2);
  wheel.Schedule(Time{-5}, 3);
  EXPECT_THAT(Advance(wheel, Ms(50)), IsEmpty());
  EXPECT_EQ(wheel.NextDeadline(), Ms(51));
  EXPECT_THAT(Advance(wheel, Ms(51)), ElementsAre(1, 2, 3));
}

TEST(TimerWheel, ForgetsWhatIsCancelled) {
  TimerWheel wheel;
  const TimerWheel::Id a = wheel.Schedule(Ms(10), 1);
  const TimerWheel::Id b = wheel.Schedule(Ms(10), 2);
  wheel.Schedule(Ms(10), 3);
  EXPECT_TRUE(wheel.Cancel(b));
  EXPECT_FALSE(wheel.Cancel(b));
  EXPECT_EQ(wheel.size(), 2u);
  EXPECT_THAT(Advance(wheel, Ms(10)), ElementsAre(1, 3));
  EXPECT_FALSE(wheel.Cancel(a));
  EXPECT_FALSE(wheel.Cancel(0));
  EXPECT_FALSE(wheel.Cancel(~uint64_t{0}));
}

TEST(TimerWheel, HasNothingToWaitForWhenAllIsCancelled) {
  TimerWheel wheel;
  for (const int64_t ms : {1, 100, 10'000, 1'000'000}) wheel.Cancel(wheel.Schedule(Ms(ms), 1));
  EXPECT_EQ(wheel.NextDeadline(), kNever);
  EXPECT_EQ(wheel.size(), 0u);
}

TEST(TimerWheel, DoesNotTakeAnIdForThatOfTheNextUser) {
  TimerWheel wheel;
  const TimerWheel::Id old_id = wheel.Schedule(Ms(1), 1);
  Advance(wheel, Ms(1));
  wheel.Schedule(Ms(2), 2);  // in the same place
  EXPECT_FALSE(wheel.Cancel(old_id));
  EXPECT_THAT(Advance(wheel, Ms(2)), ElementsAre(2));
}

TEST(TimerWheel, LetsTimersScheduleAndCancelWhileTheyExpire) {
  TimerWheel wheel;
  std::vector<uint64_t> expired;
  wheel.Schedule(Ms(10), 1);
  const TimerWheel::Id second = wheel.Schedule(Ms(10), 2);
  wheel.Schedule(Ms(10), 3);
  const TimerWheel::Id later = wheel.Schedule(Ms(11), 4);
  wheel.Advance(Ms(100), [&](uint64_t cookie) {
    expired.push_back(cookie);
    if (cookie != 1) return;
    EXPECT_TRUE(wheel.Cancel(second));
    EXPECT_TRUE(wheel.Cancel(later));
    wheel.Schedule(Ms(10), 5);  // past due: a millisecond later, in this Advance still
    wheel.Schedule(Ms(200), 6);
  });
  EXPECT_THAT(expired, ElementsAre(1, 3, 5));
  EXPECT_THAT(Advance(wheel, Ms(200)), ElementsAre(6));
}

TEST(TimerWheel, IsNotHeldUpByATimerThatSchedulesItself) {
  TimerWheel wheel;
  int expired = 0;
  wheel.Schedule(Ms(0), 1);
  wheel.Advance(Ms(50), [&](uint64_t) {
    ++expired;
    wheel.Schedule(Ms(0), 1);
  });
  EXPECT_EQ(expired, 50);
  EXPECT_EQ(wheel.size(), 1u);
}

TEST(TimerWheel, IgnoresATimeBeforeTheLast) {
  TimerWheel wheel;
  Advance(wheel, Ms(100));
  wheel.Schedule(Ms(150), 1);
  EXPECT_THAT(Advance(wheel, Ms(20)), IsEmpty());
  EXPECT_THAT(Advance(wheel, Ms(149)), IsEmpty());
  EXPECT_THAT(Advance(wheel, Ms(150)), ElementsAre(1));
}

TEST(TimerWheel, HoldsTheLongestDeadlines) {
  TimerWheel wheel;
  wheel.Schedule(kNever, 1);
  wheel.Schedule(Time{} + Seconds(3600 * 24 * 365), 2);
  EXPECT_THAT(Advance(wheel, Time{} + Seconds(3600 * 24 * 365)), ElementsAre(2));
  EXPECT_GT(wheel.NextDeadline(), Time{} + Seconds(3600 * 24 * 365));
  EXPECT_THAT(Advance(wheel, kNever - kMillisecond), IsEmpty());
  EXPECT_EQ(wheel.size(), 1u);
}

TEST(TimerWheel, GivesMemoryBackAfterABurst) {
  TimerWheel wheel;
  std::vector<TimerWheel::Id> ids;
  for (int i = 0; i < 5000; ++i) ids.push_back(wheel.Schedule(Ms(5), i));
  EXPECT_EQ(Advance(wheel, Ms(5)).size(), 5000u);
  for (TimerWheel::Id id : ids) EXPECT_FALSE(wheel.Cancel(id));
  const TimerWheel::Id id = wheel.Schedule(Ms(6), 1);
  EXPECT_TRUE(wheel.Cancel(id));
}

// Sleeping until NextDeadline, again and again, meets every timer in its millisecond.
TEST(TimerWheel, AgreesWithASortedMapUnderRandomUse) {
  Random random(13);
  TimerWheel wheel;
  std::multimap<int64_t, uint64_t> want;  // by millisecond; equal ones in order of insertion
  std::map<uint64_t, TimerWheel::Id> ids;
  int64_t now = 0;
  uint64_t cookie = 0;
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t range = uint64_t{1} << random.Below(24);
    const int64_t deadline = now + 1 + static_cast<int64_t>(random.Below(range));
    ++cookie;
    ids[cookie] = wheel.Schedule(Ms(deadline), cookie);
    want.emplace(deadline, cookie);
    if (random.Below(3) == 0) {
      auto victim = want.begin();
      std::advance(victim, random.Below(std::min<size_t>(want.size(), 20)));
      ASSERT_TRUE(wheel.Cancel(ids[victim->second]));
      want.erase(victim);
    }
    if (random.Below(2) == 0 || want.empty()) continue;
    ASSERT_LE(wheel.NextDeadline(), Ms(want.begin()->first));
    ASSERT_GT(wheel.NextDeadline(), Ms(now));
    now = wheel.NextDeadline().ns / kMillisecond.ns + static_cast<int64_t>(random.Below(50));
    std::vector<uint64_t> due;
    while (!want.empty() && want.begin()->first <= now) {
      due.push_back(want.begin()->second);
      want.erase(want.begin());
    }
    ASSERT_EQ(Advance(wheel, Ms(now)), due);
    ASSERT_EQ(wheel.size(), want.size());
  }
}

}  // namespace
}  // namespace trunkline
