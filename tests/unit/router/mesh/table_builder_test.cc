#include "router/mesh/table_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "router/base/random.h"

namespace trunkline::mesh {
namespace {

using core::AddressSettings;
using core::OutLinkRef;
using core::Route;
using core::ShardId;
using core::Treatment;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

OutLinkRef Link(ShardId shard, uint32_t index) { return {shard, {index, 1}}; }

// A directory and its builder.
struct Tables {
  Directory directory{*AddressSettings::Build({}, Treatment::kBalanced)};
  TableBuilder builder{42};

  void Up(const std::string& key, OutLinkRef link) {
    EXPECT_TRUE(
        directory.Up({link, key, Treatment::kBalanced, std::make_shared<core::LinkLoad>()}));
  }
  void Down(OutLinkRef link) { directory.Down({link, ""}); }
  const Route* Find(const std::string& key) const { return builder.table().Find(key); }
};

size_t DifferentRoutes(const core::RouteTable& before, const core::RouteTable& after) {
  size_t different = 0;
  core::RouteTable::Diff(before, after, [&](const Route*, const Route*) { ++different; });
  return different;
}

TEST(TableBuilder, HasNothingToDoAtFirst) {
  Tables tables;
  EXPECT_FALSE(tables.builder.Update(tables.directory));
  EXPECT_EQ(tables.builder.table().size(), 0u);
}

TEST(TableBuilder, NamesTheConsumersOfEachShard) {
  Tables tables;
  tables.Up("M0a", Link(2, 4));
  tables.Up("M0a", Link(0, 1));
  tables.Up("M0a", Link(2, 3));
  EXPECT_TRUE(tables.builder.Update(tables.directory));
  const Route* route = tables.Find("M0a");
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(route->key, "M0a");
  EXPECT_EQ(route->treatment, Treatment::kBalanced);
  EXPECT_EQ(route->local_count, 3u);
  ASSERT_THAT(route->local, SizeIs(3));
  ASSERT_THAT(route->local[0].targets, SizeIs(1));
  EXPECT_THAT(route->local[1].targets, IsEmpty());
  ASSERT_THAT(route->local[2].targets, SizeIs(2));
  EXPECT_EQ(route->local[2].targets[0].link.index, 4u);
  EXPECT_EQ(route->local[2].targets[1].link.index, 3u);
  EXPECT_NE(route->local[2].targets[1].load, nullptr);
}

TEST(TableBuilder, LeavesOutShardsWithoutConsumersAtTheEnd) {
  Tables tables;
  tables.Up("M0a", Link(0, 1));
  tables.Up("M0a", Link(3, 1));
  tables.builder.Update(tables.directory);
  tables.Down(Link(3, 1));
  tables.builder.Update(tables.directory);
  EXPECT_THAT(tables.Find("M0a")->local, SizeIs(1));
  EXPECT_EQ(tables.Find("M0a")->local_count, 1u);
}

TEST(TableBuilder, DropsTheRouteWithTheLastConsumer) {
  Tables tables;
  tables.Up("M0a", Link(0, 1));
  tables.builder.Update(tables.directory);
  tables.Down(Link(0, 1));
  EXPECT_TRUE(tables.builder.Update(tables.directory));
  EXPECT_EQ(tables.Find("M0a"), nullptr);
  EXPECT_EQ(tables.builder.table().size(), 0u);
}

TEST(TableBuilder, MakesNoTableForWhatCameAndWent) {
  Tables tables;
  tables.Up("M0a", Link(0, 1));
  tables.Down(Link(0, 1));
  EXPECT_FALSE(tables.builder.Update(tables.directory));
}

TEST(TableBuilder, KeepsTheIdOfARouteAndGivesItAwayAfterwards) {
  Tables tables;
  tables.Up("M0a", Link(0, 1));
  tables.Up("M0b", Link(0, 2));
  tables.builder.Update(tables.directory);
  const uint32_t a = tables.Find("M0a")->id;
  const uint32_t b = tables.Find("M0b")->id;
  EXPECT_NE(a, b);
  tables.Up("M0a", Link(0, 3));
  tables.builder.Update(tables.directory);
  EXPECT_EQ(tables.Find("M0a")->id, a);
  tables.Down(Link(0, 2));
  tables.Up("M0c", Link(0, 4));
  tables.builder.Update(tables.directory);
  EXPECT_EQ(tables.Find("M0c")->id, b);
  EXPECT_EQ(tables.builder.id_limit(), 2u);
}

TEST(TableBuilder, GivesAnUnavailableAddressARouteWithoutTargets) {
  Tables tables;
  tables.Up("M0a", Link(0, 1));
  tables.builder.Update(tables.directory);
  EXPECT_THAT(tables.directory.SetSettings(*AddressSettings::Build({}, Treatment::kUnavailable)),
              SizeIs(1));
  EXPECT_TRUE(tables.builder.Update(tables.directory));
  const Route* route = tables.Find("M0a");
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(route->treatment, Treatment::kUnavailable);
  EXPECT_FALSE(route->HasTargets());
  EXPECT_THAT(route->local, IsEmpty());
}

TEST(TableBuilder, BuildsARouteOncePerUpdateHoweverManyConsumersCome) {
  Tables tables;
  for (uint32_t i = 0; i < 100; ++i) tables.Up("M0a", Link(0, i));
  tables.builder.Update(tables.directory);
  const core::RouteTable before = tables.builder.table();
  for (uint32_t i = 100; i < 200; ++i) tables.Up("M0a", Link(0, i));
  tables.Up("M0b", Link(1, 0));
  tables.builder.Update(tables.directory);
  EXPECT_EQ(DifferentRoutes(before, tables.builder.table()), 2u);
  EXPECT_EQ(tables.Find("M0a")->local_count, 200u);
}

TEST(TableBuilder, ChangesOneRouteAmongAHundredThousand) {
  Tables tables;
  constexpr uint32_t kAddresses = 100'000;
  for (uint32_t i = 0; i < kAddresses; ++i) tables.Up("M0" + std::to_string(i), Link(0, i));
  tables.builder.Update(tables.directory);
  EXPECT_EQ(tables.builder.table().size(), kAddresses);
  const core::RouteTable before = tables.builder.table();
  tables.Up("M0one more", Link(0, kAddresses));
  tables.builder.Update(tables.directory);
  EXPECT_EQ(DifferentRoutes(before, tables.builder.table()), 1u);
}

TEST(TableBuilder, AgreesWithTheDirectoryUnderRandomChanges) {
  Tables tables;
  Random random(3);
  std::vector<std::string> consumed(400);  // by link: the key it consumes
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 10; ++i) {
      const uint32_t index = static_cast<uint32_t>(random.Below(consumed.size()));
      const OutLinkRef link = Link(static_cast<ShardId>(index % 3), index);
      if (consumed[index].empty()) {
        consumed[index] = "M0" + std::to_string(random.Below(60));
        tables.Up(consumed[index], link);
      } else {
        consumed[index].clear();
        tables.Down(link);
      }
    }
    tables.builder.Update(tables.directory);
    std::set<std::string> keys;
    std::set<uint32_t> ids;
    for (const std::string& key : consumed) {
      if (!key.empty() && keys.insert(key).second) ids.insert(tables.Find(key)->id);
    }
    ASSERT_EQ(tables.builder.table().size(), keys.size());
    ASSERT_EQ(ids.size(), keys.size());
    ASSERT_LE(tables.builder.id_limit(), 60u);
  }
}

TEST(TableBuilder, TellsRoutesWhatOtherShardsHaveToKnow) {
  Tables tables;
  tables.Up("M0a", Link(0, 1));
  tables.Up("M0a", Link(1, 1));
  tables.Down(Link(1, 1));
  const auto load = std::make_shared<core::LinkLoad>();
  EXPECT_TRUE(tables.directory.Up(
      {.link = Link(1, 2), .key = "M0a", .load = load, .capacity = 7, .strip_outbound = true}));
  EXPECT_TRUE(tables.builder.Update(tables.directory));
  const Route* route = tables.Find("M0a");
  ASSERT_THAT(route->local[1].targets, SizeIs(1));
  const core::LocalTarget& target = route->local[1].targets[0];
  EXPECT_EQ(target.load, load);
  EXPECT_EQ(target.capacity, 7u);
  EXPECT_TRUE(target.strip);
  EXPECT_EQ(route->local[0].last_departure, 0u);
  EXPECT_EQ(route->local[1].last_departure, 1u);
}

// --- links that are disabled

std::vector<uint32_t> Offered(const Route* route) {
  std::vector<uint32_t> links;
  for (const core::ShardTargets& local : route->local) {
    for (const core::LocalTarget& target : local.targets) links.push_back(target.link.index);
  }
  EXPECT_EQ(links.size(), route->local_count);
  return links;
}

TEST(TableBuilder, LeavesOutLinksThatAreDisabledUnlessAllAre) {
  Tables tables;
  const auto see = [&] {
    tables.builder.Update(tables.directory);
    return Offered(tables.Find("M0a"));
  };
  tables.Up("M0a", Link(0, 1));
  tables.Up("M0a", Link(0, 2));
  tables.Up("M0a", Link(2, 3));
  tables.directory.Switch({Link(2, 3), true});
  EXPECT_THAT(see(), ElementsAre(1, 2));
  EXPECT_THAT(tables.Find("M0a")->local, SizeIs(1));
  tables.directory.Switch({Link(0, 1), true});
  EXPECT_THAT(see(), ElementsAre(2));
  tables.directory.Switch({Link(0, 2), true});
  EXPECT_THAT(see(), ElementsAre(1, 2, 3)) << "nobody is left";
  tables.directory.Switch({Link(2, 3), false});
  EXPECT_THAT(see(), ElementsAre(3));
  tables.Down(Link(2, 3));
  EXPECT_THAT(see(), ElementsAre(1, 2));
  tables.Up("M0a", Link(1, 4));
  EXPECT_THAT(see(), ElementsAre(4)) << "whoever comes is enabled";
  tables.Down(Link(0, 1));
  tables.directory.Switch({Link(0, 2), false});
  tables.directory.Switch({Link(0, 9), true});  // not known
  EXPECT_THAT(see(), ElementsAre(2, 4));
}

TEST(TableBuilder, ShowsThatLinksAreOfferedNoMore) {
  Tables tables;
  const auto departure = [&](ShardId shard) {
    tables.builder.Update(tables.directory);
    return tables.Find("M0a")->local[shard].last_departure;
  };
  tables.Up("M0a", Link(0, 1));
  tables.Up("M0a", Link(0, 2));
  const uint64_t at_first = departure(0);
  tables.directory.Switch({Link(0, 1), true});
  const uint64_t one_left = departure(0);
  EXPECT_GT(one_left, at_first);
  tables.directory.Switch({Link(0, 1), true});
  EXPECT_EQ(departure(0), one_left) << "nothing has changed";
  tables.directory.Switch({Link(0, 2), true});
  const uint64_t all_off = departure(0);
  // The other one was offered until now.
  tables.directory.Switch({Link(0, 2), false});
  EXPECT_GT(departure(0), all_off);
  tables.directory.Switch({Link(0, 2), true});
  const uint64_t all_off_again = departure(0);
  tables.Up("M0a", Link(0, 3));
  EXPECT_GT(departure(0), all_off_again);
}

TEST(TableBuilder, CountsDisabledLinksUnderRandomChanges) {
  Tables tables;
  Random random(5);
  struct One {
    bool up = false;
    bool disabled = false;
  };
  std::vector<One> links(12);
  for (int round = 0; round < 2000; ++round) {
    const uint32_t index = static_cast<uint32_t>(random.Below(links.size()));
    const OutLinkRef link = Link(static_cast<ShardId>(index % 3), index);
    One& one = links[index];
    if (!one.up) {
      tables.Up("M0a", link);
      one = {.up = true};
    } else if (random.Below(4) == 0) {
      tables.Down(link);
      one = {};
    } else {
      one.disabled = random.Below(2) == 0;
      tables.directory.Switch({link, one.disabled});
    }
    tables.builder.Update(tables.directory);
    std::set<uint32_t> enabled, disabled;
    for (uint32_t i = 0; i < links.size(); ++i) {
      if (links[i].up) (links[i].disabled ? disabled : enabled).insert(i);
    }
    const Route* route = tables.Find("M0a");
    const std::vector<uint32_t> seen = route == nullptr ? std::vector<uint32_t>() : Offered(route);
    ASSERT_THAT(seen, testing::UnorderedElementsAreArray(enabled.empty() ? disabled : enabled))
        << round;
  }
}

}  // namespace
}  // namespace trunkline::mesh
