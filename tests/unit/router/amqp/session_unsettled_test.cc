#include "router/amqp/session_unsettled.h"

#include <map>
#include <vector>

#include "gtest/gtest.h"
#include "router/amqp/session_handles.h"
#include "router/base/random.h"

namespace trunkline::amqp {
namespace {

uint32_t AddOne(UnsettledMap& map, uint64_t user, uint32_t link = 0) {
  if (map.Full()) {
    EXPECT_TRUE(map.Grow());
  }
  const uint32_t id = map.next();
  map.Add(link, user);
  return id;
}

void Settle(UnsettledMap& map, uint32_t id) { map.Settle(id, *map.Find(id)); }

std::vector<uint32_t> Walk(UnsettledMap& map, uint32_t first, uint32_t last) {
  UnsettledMap::Range range{.first = first, .last = last, .next = first};
  std::vector<uint32_t> ids;
  for (uint32_t id = 0; map.NextIn(range, id) != nullptr;) ids.push_back(id);
  return ids;
}

TEST(UnsettledMap, FindsWhatAnOrdinaryMapFinds) {
  for (const uint32_t start : {0u, 4294967000u, 2147483000u}) {
    UnsettledMap map;
    map.StartAt(start);
    std::map<uint32_t, uint64_t> model;  // by distance from start
    Random random(start + 1);
    for (uint32_t step = 0; step < 60000; ++step) {
      const uint64_t roll = random.Below(100);
      if (roll < 40) {
        model[AddOne(map, step) - start] = step;
      } else if (roll < 50) {
        if (map.Full() && !map.Lone()) {
          ASSERT_TRUE(map.Grow());
        }
        map.Skip();
      } else if (!model.empty()) {
        // Mostly old ones, but some are never settled.
        auto victim = model.lower_bound(static_cast<uint32_t>(random.Below(map.next() - start)));
        if (victim == model.end() || victim->second % 97 == 0) continue;
        ASSERT_NE(map.Find(victim->first + start), nullptr);
        Settle(map, victim->first + start);
        model.erase(victim);
      }
      ASSERT_EQ(map.live(), model.size());
    }
    for (uint32_t i = 0; i < map.next() - start + 10; ++i) {
      const UnsettledEntry* entry = map.Find(start + i);
      const auto expected = model.find(i);
      ASSERT_EQ(entry != nullptr, expected != model.end()) << i;
      if (entry != nullptr) {
        ASSERT_EQ(entry->user, expected->second);
      }
    }
    const std::vector<uint32_t> all = Walk(map, start, start + INT32_MAX);
    ASSERT_EQ(all.size(), model.size());
    auto at = model.begin();
    for (const uint32_t id : all) EXPECT_EQ(id, start + (at++)->first);
  }
}

TEST(UnsettledMap, StaysSmallWhenOneDeliveryIsNeverSettled) {
  UnsettledMap map;
  map.StartAt(0);
  const uint32_t slow = AddOne(map, 4711);
  for (int i = 0; i < 5'000'000; ++i) Settle(map, AddOne(map, 1));
  ASSERT_NE(map.Find(slow), nullptr);
  EXPECT_EQ(map.Find(slow)->user, 4711u);
  EXPECT_FALSE(map.InRing(slow));
  EXPECT_EQ(map.live(), 1u);
  EXPECT_LE(map.next() - map.first(), 1024u);
  EXPECT_EQ(Walk(map, slow, slow).size(), 1u);
  Settle(map, slow);
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.Find(slow), nullptr);
}

TEST(UnsettledMap, RefusesMoreThanItsLimit) {
  UnsettledMap map;
  map.StartAt(0);
  for (uint32_t i = 0; i < UnsettledMap::kLiveMax; ++i) {
    if (map.Full()) {
      ASSERT_TRUE(map.Grow());
    }
    map.Add(0, 0);
  }
  EXPECT_EQ(map.live(), UnsettledMap::kLiveMax);
  ASSERT_TRUE(map.Full());
  EXPECT_FALSE(map.Grow());
}

TEST(UnsettledMap, WalksARangeOfAnySpanAtTheCostOfWhatIsThere) {
  UnsettledMap map;
  map.StartAt(1000);
  for (int i = 0; i < 5; ++i) AddOne(map, i);
  Settle(map, 1002);
  EXPECT_EQ(Walk(map, 0, INT32_MAX), (std::vector<uint32_t>{1000, 1001, 1003, 1004}));
  EXPECT_EQ(Walk(map, 1001, 1003), (std::vector<uint32_t>{1001, 1003}));
  EXPECT_EQ(Walk(map, 1004u - (1u << 31), 1002), (std::vector<uint32_t>{1000, 1001}));
  EXPECT_TRUE(Walk(map, 1005, 1005u + INT32_MAX).empty());
  EXPECT_TRUE(Walk(map, 900, 999).empty());
  EXPECT_TRUE(Walk(map, 1000 + (1u << 31), 1010 + (1u << 31)).empty());
}

TEST(UnsettledMap, KnowsWhatAWalkCosts) {
  UnsettledMap map;
  map.StartAt(1000);
  EXPECT_EQ(map.WalkCost(0, INT32_MAX), 0u);
  for (int i = 0; i < 10; ++i) AddOne(map, i);
  Settle(map, 1005);
  EXPECT_EQ(map.WalkCost(0, INT32_MAX), 10u);
  EXPECT_EQ(map.WalkCost(1009, 1009), 1u);
  EXPECT_EQ(map.WalkCost(1010, 1010), 0u);
  EXPECT_EQ(map.WalkCost(999, 999), 0u);
  EXPECT_EQ(map.WalkCost(999, 1001), 2u);
  while (map.next() < 1000 + 1024) Settle(map, AddOne(map, 1));
  ASSERT_TRUE(map.Grow());
  ASSERT_FALSE(map.InRing(1009));  // nine are aside
  EXPECT_EQ(map.WalkCost(1003, 1003), 1u);
  EXPECT_EQ(map.WalkCost(1000, 1009), 9u);
  EXPECT_EQ(map.WalkCost(0, INT32_MAX), 9u + map.next() - map.first());
}

TEST(UnsettledMap, SettlesBetweenTwoStepsOfAWalk) {
  UnsettledMap map;
  map.StartAt(0);
  for (int i = 0; i < 100; ++i) AddOne(map, i);
  UnsettledMap::Range range{.first = 0, .last = 99, .next = 0};
  uint32_t id = 0;
  int seen = 0;
  while (map.NextIn(range, id) != nullptr) {
    Settle(map, id);
    if (id + 1 < 100) Settle(map, id + 1);
    ++seen;
  }
  EXPECT_EQ(seen, 50);
  EXPECT_TRUE(map.empty());
}

TEST(UnsettledMap, MissesNothingThatIsMovedAsideBetweenTwoStepsOfAWalk) {
  for (const uint32_t start : {0u, 4294967000u}) {
    UnsettledMap map;
    map.StartAt(start);
    for (int i = 0; i < 1024; ++i) AddOne(map, i);
    std::vector<uint32_t> expected;
    for (uint32_t i = 0; i < 1024; ++i) {
      if (i % 64 == 0) {
        expected.push_back(start + i);
      } else {
        Settle(map, start + i);
      }
    }
    UnsettledMap::Range range{.first = start, .last = start + 1023, .next = start};
    std::vector<uint32_t> walked;
    for (uint32_t id = 0; map.NextIn(range, id) != nullptr;) {
      walked.push_back(id);
      if (walked.size() == 3) {
        ASSERT_TRUE(map.Full());
        ASSERT_TRUE(map.Grow());
        ASSERT_FALSE(map.InRing(start + 64 * 4));
      }
    }
    EXPECT_EQ(walked, expected);
  }
}

TEST(UnsettledMap, DropsTheDeliveriesOfALink) {
  UnsettledMap map;
  map.StartAt(0);
  for (uint32_t i = 0; i < 3000; ++i) AddOne(map, i, i % 3);
  map.DropLinks([](uint32_t link) { return link == 1; });
  EXPECT_EQ(map.live(), 2000u);
  EXPECT_EQ(map.Find(1), nullptr);
  EXPECT_NE(map.Find(2), nullptr);
  map.DropLinks([](uint32_t link) { return link != 1; });
  EXPECT_TRUE(map.empty());
  map.Trim();
  EXPECT_EQ(map.Find(5), nullptr);
}

TEST(UnsettledMap, KnowsWhenAnIdIsAboutToComeAgain) {
  UnsettledMap map;
  map.StartAt(0);
  AddOne(map, 1);
  for (int i = 0; i < 3000; ++i) Settle(map, AddOne(map, 1));
  ASSERT_FALSE(map.InRing(0));
  EXPECT_FALSE(map.Overrun());
  while (!map.Lone()) Settle(map, AddOne(map, 1));
  map.StartAt(1u << 30);
  EXPECT_FALSE(map.Overrun());
  map.Skip();
  EXPECT_TRUE(map.Overrun());
}

TEST(NumberMap, FindsNearAndFarNumbers) {
  NumberMap numbers;
  std::map<uint32_t, uint32_t> model;
  Random random(9);
  for (uint32_t i = 0; i < 20000; ++i) {
    const uint32_t number =
        static_cast<uint32_t>(random.Below(3) == 0 ? random.Below(32768) : random.Below(40));
    if (random.Below(3) == 0) {
      numbers.Erase(number);
      model.erase(number);
    } else {
      numbers.Set(number, i);
      model[number] = i;
    }
  }
  for (uint32_t number = 0; number < 33000; ++number) {
    const auto found = model.find(number);
    EXPECT_EQ(numbers.Find(number), found == model.end() ? NumberMap::kNone : found->second);
  }
  numbers.Set(UINT32_MAX, 5);
  EXPECT_EQ(numbers.Find(UINT32_MAX), 5u);
}

}  // namespace
}  // namespace trunkline::amqp
