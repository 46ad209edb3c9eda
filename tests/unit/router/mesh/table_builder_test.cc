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

}  // namespace
}  // namespace trunkline::mesh
