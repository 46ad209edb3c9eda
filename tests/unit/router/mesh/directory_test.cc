#include "router/mesh/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace trunkline::mesh {
namespace {

using core::AddressSettings;
using core::ConsumerUp;
using core::OutLinkRef;
using core::ShardId;
using core::Treatment;
using testing::ElementsAre;
using testing::IsEmpty;

OutLinkRef Link(ShardId shard, uint32_t index) { return {shard, {index, 1}}; }

ConsumerUp Up(std::string key, OutLinkRef link, Treatment said = Treatment::kBalanced) {
  return {link, std::move(key), said, std::make_shared<core::LinkLoad>()};
}

std::shared_ptr<const AddressSettings> Settings(std::vector<core::AddressSetting> settings = {},
                                                Treatment other = Treatment::kBalanced) {
  return *AddressSettings::Build(std::move(settings), other);
}

// What a visit sees of one address: "M0a balanced 1,2|3", links by index, shards apart.
std::string Text(const Directory::Address& address) {
  constexpr const char* kTreatments[] = {"closest", "balanced", "multicast", "unavailable"};
  std::string text(address.key);
  text += std::string(" ") + kTreatments[static_cast<int>(address.treatment)] + " ";
  for (size_t shard = 0; shard < address.local.size(); ++shard) {
    if (shard > 0) text += "|";
    std::string separator;
    for (const core::LocalTarget& target : address.local[shard].targets) {
      if (!target.link) continue;
      text += separator + std::to_string(target.link.index);
      separator = ",";
    }
  }
  return text;
}

std::vector<std::string> Changed(Directory& directory) {
  std::vector<std::string> changed;
  directory.VisitChanged([&](const Directory::Address& a) { changed.push_back(Text(a)); });
  return changed;
}

TEST(Directory, ListsTheConsumersOfAnAddressByShardInTheOrderTheyCame) {
  Directory directory(Settings());
  EXPECT_TRUE(directory.Up(Up("M0a", Link(1, 5))));
  EXPECT_TRUE(directory.Up(Up("M0a", Link(0, 9))));
  EXPECT_TRUE(directory.Up(Up("M0a", Link(1, 2))));
  EXPECT_THAT(Changed(directory), ElementsAre("M0a balanced 9|5,2"));
  EXPECT_EQ(directory.consumers(), 3u);
}

TEST(Directory, TellsAChangedAddressOnce) {
  Directory directory(Settings());
  ASSERT_TRUE(directory.Up(Up("M0b", Link(0, 1))));
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 2))));
  ASSERT_TRUE(directory.Up(Up("M0b", Link(0, 3))));
  EXPECT_TRUE(directory.HasChanged());
  EXPECT_THAT(Changed(directory), ElementsAre("M0b balanced 1,3", "M0a balanced 2"));
  EXPECT_FALSE(directory.HasChanged());
  EXPECT_THAT(Changed(directory), IsEmpty());
}

TEST(Directory, ForgetsAnAddressWithItsLastConsumer) {
  Directory directory(Settings());
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 1))));
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 2))));
  Changed(directory);
  directory.Down({Link(0, 1), "M0a"});
  EXPECT_THAT(Changed(directory), ElementsAre("M0a balanced 2"));
  directory.Down({Link(0, 2), "M0a"});
  EXPECT_THAT(Changed(directory), ElementsAre("M0a balanced "));
  EXPECT_EQ(directory.addresses(), 0u);
  EXPECT_EQ(directory.consumers(), 0u);
  EXPECT_THAT(Changed(directory), IsEmpty());
}

TEST(Directory, KeepsAnAddressWhoseConsumerComesBackBeforeTheVisit) {
  Directory directory(Settings());
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 1))));
  directory.Down({Link(0, 1), "M0a"});
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 2))));
  EXPECT_THAT(Changed(directory), ElementsAre("M0a balanced 2"));
  EXPECT_EQ(directory.addresses(), 1u);
}

TEST(Directory, IgnoresTheEndOfALinkItDoesNotKnow) {
  Directory directory(Settings());
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 1))));
  Changed(directory);
  directory.Down({Link(0, 2), "M0a"});
  directory.Down({Link(1, 1), "M0a"});
  directory.Down({{0, {1, 3}}, "M0a"});  // the next user of that slot
  EXPECT_FALSE(directory.HasChanged());
}

TEST(Directory, EntersALinkThatIsToldTwiceOnce) {
  Directory directory(Settings());
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 1))));
  ASSERT_TRUE(directory.Up(Up("M0b", Link(0, 1))));
  EXPECT_THAT(Changed(directory), ElementsAre("M0a balanced ", "M0b balanced 1"));
  EXPECT_EQ(directory.consumers(), 1u);
}

TEST(Directory, KeepsTheOrderOfThoseThatStay) {
  Directory directory(Settings());
  for (uint32_t i = 0; i < 10; ++i) ASSERT_TRUE(directory.Up(Up("M0a", Link(0, i))));
  for (uint32_t i : {0u, 3u, 4u, 9u, 8u, 1u, 6u}) directory.Down({Link(0, i), "M0a"});
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 11))));
  directory.Down({Link(0, 5), "M0a"});
  EXPECT_THAT(Changed(directory), ElementsAre("M0a balanced 2,7,11"));
}

TEST(Directory, TreatsAnAddressAsTheSettingsSay) {
  Directory directory(Settings({{.pattern = "m/#", .treatment = Treatment::kMulticast}}));
  ASSERT_TRUE(directory.Up(Up("M0m/a", Link(0, 1), Treatment::kClosest)));
  ASSERT_TRUE(directory.Up(Up("M3m", Link(0, 2), Treatment::kClosest)));
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 3), Treatment::kClosest)));
  EXPECT_THAT(Changed(directory),
              ElementsAre("M0m/a multicast 1", "M3m multicast 2", "M0a balanced 3"));
}

TEST(Directory, TreatsWhatNoSettingSpeaksOfAsTheConsumerSays) {
  Directory directory(Settings({}, Treatment::kMulticast));
  ASSERT_TRUE(directory.Up(Up("Ltemp.x", Link(0, 1))));
  ASSERT_TRUE(directory.Up(Up("M0_$temp.x", Link(0, 2))));
  ASSERT_TRUE(directory.Up(Up("Tx", Link(0, 3), Treatment::kClosest)));
  EXPECT_THAT(Changed(directory),
              ElementsAre("Ltemp.x balanced 1", "M0_$temp.x balanced 2", "Tx closest 3"));
  EXPECT_THAT(directory.SetSettings(Settings({}, Treatment::kUnavailable)), IsEmpty());
  EXPECT_FALSE(directory.HasChanged());
}

TEST(Directory, RefusesAConsumerOfAnUnavailableAddress) {
  Directory directory(Settings({{.pattern = "no", .treatment = Treatment::kUnavailable}}));
  EXPECT_FALSE(directory.Up(Up("M0no", Link(0, 1))));
  EXPECT_FALSE(directory.Up(Up("Lno", Link(0, 2), Treatment::kUnavailable)));
  EXPECT_FALSE(directory.HasChanged());
  directory.Down({Link(0, 1), "M0no"});
  EXPECT_FALSE(directory.HasChanged());
}

TEST(Directory, ChangesTheAddressesThatOtherSettingsTreatOtherwise) {
  Directory directory(Settings());
  ASSERT_TRUE(directory.Up(Up("M0b", Link(0, 1))));
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 2))));
  ASSERT_TRUE(directory.Up(Up("M0c", Link(0, 3))));
  Changed(directory);
  EXPECT_THAT(directory.SetSettings(Settings({{.pattern = "a", .treatment = Treatment::kClosest},
                                              {.pattern = "b", .treatment = Treatment::kMulticast},
                                              {.pattern = "d", .treatment = Treatment::kClosest}})),
              IsEmpty());
  EXPECT_THAT(Changed(directory), ElementsAre("M0a closest 2", "M0b multicast 1"));
}

TEST(Directory, NamesTheLinksOfAddressesThatBecomeUnavailable) {
  Directory directory(Settings());
  ASSERT_TRUE(directory.Up(Up("M0a", Link(1, 7))));
  ASSERT_TRUE(directory.Up(Up("M1a", Link(0, 8))));
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 1))));
  ASSERT_TRUE(directory.Up(Up("M0b", Link(0, 2))));
  const auto unavailable = Settings({{.pattern = "a", .treatment = Treatment::kUnavailable}});
  EXPECT_THAT(directory.SetSettings(unavailable), ElementsAre(Link(0, 1), Link(0, 8), Link(1, 7)));
  EXPECT_THAT(directory.SetSettings(unavailable), IsEmpty());
  EXPECT_FALSE(directory.Up(Up("M0a", Link(0, 4))));
  EXPECT_THAT(Changed(directory),
              ElementsAre("M0a unavailable 1|7", "M0b balanced 2", "M1a unavailable 8"));
  for (OutLinkRef link : {Link(0, 1), Link(1, 7), Link(0, 8)}) directory.Down({link, "M0a"});
  Changed(directory);
  EXPECT_EQ(directory.addresses(), 1u);
}

// Of each shard that has had consumers of the only address that changed.
std::vector<uint64_t> Departures(Directory& directory) {
  std::vector<uint64_t> departures;
  directory.VisitChanged([&](const Directory::Address& address) {
    for (const auto& links : address.local) departures.push_back(links.last_departure);
  });
  return departures;
}

TEST(Directory, NumbersDeparturesByShard) {
  Directory directory(Settings());
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 1))));
  ASSERT_TRUE(directory.Up(Up("M0a", Link(1, 2))));
  ASSERT_TRUE(directory.Up(Up("M0a", Link(1, 3))));
  EXPECT_THAT(Departures(directory), ElementsAre(0, 0));
  directory.Down({Link(1, 2), "M0a"});
  EXPECT_THAT(Departures(directory), ElementsAre(0, 1));
  ASSERT_TRUE(directory.Up(Up("M0a", Link(2, 4))));
  EXPECT_THAT(Departures(directory), ElementsAre(0, 1, 0)) << "who comes changes nothing";
  directory.Down({Link(0, 1), "M0a"});
  EXPECT_THAT(Departures(directory), ElementsAre(2, 1, 0));
}

TEST(Directory, ShowsThatAnAddressWasGoneInBetween) {
  Directory directory(Settings());
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 1))));
  EXPECT_THAT(Departures(directory), ElementsAre(0));
  directory.Down({Link(0, 1), "M0a"});
  Changed(directory);
  EXPECT_EQ(directory.addresses(), 0u);
  ASSERT_TRUE(directory.Up(Up("M0a", Link(0, 2))));
  EXPECT_THAT(Departures(directory), ElementsAre(1));
}

}  // namespace
}  // namespace trunkline::mesh
