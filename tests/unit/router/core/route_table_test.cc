#include "router/core/route_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "router/base/random.h"

namespace trunkline::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

std::shared_ptr<const Route> MakeRoute(std::string key, uint32_t id = 0) {
  auto route = std::make_shared<Route>();
  route->key = std::move(key);
  route->id = id;
  return route;
}

RouteTable With(const RouteTable& base, const std::vector<std::string>& keys) {
  RouteTable::Builder builder(base);
  for (const std::string& key : keys) builder.Set(MakeRoute(key));
  return builder.Finish();
}

std::vector<std::string> Keys(size_t n) {
  std::vector<std::string> keys;
  for (size_t i = 0; i < n; ++i) keys.push_back("M0address/" + std::to_string(i));
  return keys;
}

using Change = std::pair<std::string, std::string>;  // key before, key after; "-": absent

std::vector<Change> Changes(const RouteTable& before, const RouteTable& after) {
  std::vector<Change> changes;
  RouteTable::Diff(before, after, [&](const Route* a, const Route* b) {
    changes.push_back({a == nullptr ? "-" : a->key, b == nullptr ? "-" : b->key});
  });
  return changes;
}

TEST(RouteTable, FindsNothingWhenEmpty) {
  const RouteTable table;
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.Find("M0a"), nullptr);
  EXPECT_EQ(table.Find(""), nullptr);
}

TEST(RouteTable, FindsWhatWasSet) {
  const RouteTable table = With(RouteTable(), {"M0a", "M1a", "La", ""});
  EXPECT_EQ(table.size(), 4u);
  EXPECT_EQ(table.Find("M0a")->key, "M0a");
  EXPECT_EQ(table.Find("")->key, "");
  EXPECT_EQ(table.Find("M0"), nullptr);
  EXPECT_EQ(table.Find("M0aa"), nullptr);
}

TEST(RouteTable, LeavesTheBaseAsItWas) {
  const RouteTable base = With(RouteTable(), {"M0a", "M0b"});
  RouteTable::Builder builder(base);
  builder.Erase("M0a");
  builder.Set(MakeRoute("M0b", 7));
  builder.Set(MakeRoute("M0c"));
  const RouteTable table = builder.Finish();
  EXPECT_EQ(base.size(), 2u);
  EXPECT_NE(base.Find("M0a"), nullptr);
  EXPECT_EQ(base.Find("M0b")->id, 0u);
  EXPECT_EQ(base.Find("M0c"), nullptr);
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.Find("M0a"), nullptr);
  EXPECT_EQ(table.Find("M0b")->id, 7u);
  EXPECT_NE(table.Find("M0c"), nullptr);
}

TEST(RouteTable, IgnoresTheErasureOfWhatIsNotThere) {
  const RouteTable base = With(RouteTable(), {"M0a"});
  RouteTable::Builder builder(base);
  builder.Erase("M0b");
  const RouteTable table = builder.Finish();
  EXPECT_EQ(table.size(), 1u);
  EXPECT_THAT(Changes(base, table), IsEmpty());
}

TEST(RouteTable, OutlivesTheTableItWasMadeFrom) {
  RouteTable table;
  for (const std::string& key : Keys(500)) table = With(table, {key});
  for (const std::string& key : Keys(500)) ASSERT_NE(table.Find(key), nullptr) << key;
}

TEST(RouteTable, FindsRoutesWhoseHashesShareALeaf) {
  const std::vector<std::string> keys = Keys(50'000);  // twelve to a leaf
  const RouteTable table = With(RouteTable(11), keys);
  EXPECT_EQ(table.size(), keys.size());
  for (const std::string& key : keys) {
    const Route* route = table.Find(key);
    ASSERT_NE(route, nullptr) << key;
    ASSERT_EQ(route->key, key);
  }
  EXPECT_EQ(table.Find("M0address/50000"), nullptr);
}

// Who knows the keys, but not the seed, knows nothing of where they are.
TEST(RouteTable, PutsKeysElsewhereUnderAnotherSeed) {
  const std::vector<std::string> keys = Keys(1000);
  const auto places = [&](uint64_t seed) {
    return Changes(RouteTable(), With(RouteTable(seed), keys));
  };
  EXPECT_EQ(places(11), places(11));
  EXPECT_NE(places(11), places(12));
  EXPECT_NE(places(11), places(11ull << 32));
}

TEST(RouteTable, IsEmptyAgainWhenAllIsErased) {
  const std::vector<std::string> keys = Keys(1000);
  const RouteTable base = With(RouteTable(), keys);
  RouteTable::Builder builder(base);
  for (const std::string& key : keys) builder.Erase(key);
  builder.Set(MakeRoute("M0last"));
  builder.Erase("M0last");
  const RouteTable table = builder.Finish();
  EXPECT_EQ(table.size(), 0u);
  EXPECT_THAT(Changes(RouteTable(), table), IsEmpty());
  EXPECT_EQ(Changes(base, table).size(), 1000u);
}

TEST(RouteTable, BehavesLikeAMapUnderRandomChanges) {
  Random random(7);
  std::map<std::string, uint32_t> want;
  RouteTable table(3);
  for (uint32_t batch = 1; batch <= 300; ++batch) {
    RouteTable::Builder builder(table);
    for (int i = 0; i < 20; ++i) {
      const std::string key = "M0" + std::to_string(random.Below(400));
      if (random.Below(2) == 0) {
        builder.Set(MakeRoute(key, batch));
        want[key] = batch;
      } else {
        builder.Erase(key);
        want.erase(key);
      }
    }
    table = builder.Finish();
    ASSERT_EQ(table.size(), want.size());
  }
  for (int i = 0; i < 400; ++i) {
    const std::string key = "M0" + std::to_string(i);
    const Route* route = table.Find(key);
    ASSERT_EQ(route != nullptr, want.contains(key)) << key;
    if (route != nullptr) {
      EXPECT_EQ(route->id, want[key]);
    }
  }
}

TEST(RouteTable, DiffTellsWhatCameWentAndChanged) {
  const RouteTable before = With(RouteTable(), {"M0a", "M0b", "M0c"});
  RouteTable::Builder builder(before);
  builder.Erase("M0a");
  builder.Set(MakeRoute("M0b", 9));
  builder.Set(MakeRoute("M0d"));
  const RouteTable after = builder.Finish();
  EXPECT_THAT(Changes(before, after),
              UnorderedElementsAre(Pair("M0a", "-"), Pair("M0b", "M0b"), Pair("-", "M0d")));
  EXPECT_THAT(Changes(after, before),
              UnorderedElementsAre(Pair("-", "M0a"), Pair("M0b", "M0b"), Pair("M0d", "-")));
  EXPECT_THAT(Changes(after, after), IsEmpty());
}

// A route set to itself gives a table of new nodes that says the same.
TEST(RouteTable, DiffComparesRoutesByIdentity) {
  const RouteTable before = With(RouteTable(), {"M0a"});
  auto same = MakeRoute("M0b");
  RouteTable::Builder first(before);
  first.Set(same);
  const RouteTable middle = first.Finish();
  RouteTable::Builder second(middle);
  second.Set(same);
  EXPECT_THAT(Changes(middle, second.Finish()), IsEmpty());
}

TEST(RouteTable, DiffOfLargeTablesSeesOnlyTheChange) {
  const RouteTable before = With(RouteTable(5), Keys(20'000));
  const RouteTable after = With(before, {"M0address/77", "M0other"});
  EXPECT_THAT(Changes(before, after),
              UnorderedElementsAre(Pair("M0address/77", "M0address/77"), Pair("-", "M0other")));
}

TEST(RouteTable, DiffAgainstAnEmptyTableOfAnotherSeedIsEverything) {
  const RouteTable table = With(RouteTable(5), {"M0a", "M0b"});
  EXPECT_EQ(Changes(RouteTable(), table).size(), 2u);
  EXPECT_EQ(Changes(table, RouteTable()).size(), 2u);
}

// Simulations replay by seed: the order of a Diff is part of what they see.
TEST(RouteTable, HasTheSameOrderInEveryRun) {
  const std::vector<Change> order = Changes(RouteTable(), With(RouteTable(), Keys(6)));
  EXPECT_EQ(order, Changes(RouteTable(), With(RouteTable(), Keys(6))));
  EXPECT_NE(order, Changes(RouteTable(9), With(RouteTable(9), Keys(6))));
}

}  // namespace
}  // namespace trunkline::core
