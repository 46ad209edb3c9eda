#include "router/core/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace trunkline::core {
namespace {

const LocalIdentity kInterior{.router_id = "A"};
const LocalIdentity kEdge{.router_id = "A", .edge = true};

struct KeyCase {
  const char* text;
  const char* interior;
  const char* edge;
};

class Key : public testing::TestWithParam<KeyCase> {};

TEST_P(Key, IsThatOfTheTable) {
  EXPECT_EQ(MakeKey(GetParam().text, '0', kInterior), GetParam().interior) << GetParam().text;
  EXPECT_EQ(MakeKey(GetParam().text, '0', kEdge), GetParam().edge) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Texts, Key,
    testing::Values(
        KeyCase{"orders", "M0orders", "M0orders"}, KeyCase{"", "M0", "M0"},
        KeyCase{"/", "M0", "M0"}, KeyCase{"amqp:", "M0", "M0"},
        KeyCase{"orders/eu.1", "M0orders/eu.1", "M0orders/eu.1"},
        KeyCase{"amqp:orders", "M0orders", "M0orders"},
        KeyCase{"amqps:orders", "M0orders", "M0orders"},
        KeyCase{"amqp:/orders", "M0orders", "M0orders"},
        KeyCase{"amqp://host:5672/orders", "M0orders", "M0orders"},
        KeyCase{"amqps://host/orders/eu", "M0orders/eu", "M0orders/eu"},
        KeyCase{"//host/orders", "M0orders", "M0orders"}, KeyCase{"amqp://host", "M0", "M0"},
        KeyCase{"/orders", "M0orders", "M0orders"}, KeyCase{"orders/", "M0orders", "M0orders"},
        KeyCase{"orders.", "M0orders", "M0orders"}, KeyCase{"orders..", "M0orders.", "M0orders."},
        KeyCase{"orders:7", "M0orders:7", "M0orders:7"},
        KeyCase{"http:orders", "M0http:orders", "M0http:orders"}, KeyCase{"_local/x", "Lx", "Lx"},
        KeyCase{"amqp:/_local/x/y", "Lx/y", "Lx/y"}, KeyCase{"_local", "M0_local", "M0_local"},
        KeyCase{"_local/", "M0_local", "M0_local"},
        KeyCase{"_locals/x", "M0_locals/x", "M0_locals/x"}));

INSTANTIATE_TEST_SUITE_P(
    Topological, Key,
    testing::Values(KeyCase{"_topo/all/all/x", "Tx", "Tx"}, KeyCase{"_topo/0/all/x", "Tx", "Tx"},
                    KeyCase{"_topo/0/A/temp.abc", "Ltemp.abc", "Ltemp.abc"},
                    KeyCase{"amqp:/_topo/0/A/$management", "L$management", "L$management"},
                    KeyCase{"_topo/0/B/x/y", "RB", "L_edge"}, KeyCase{"_topo/0/B", "RB", "L_edge"},
                    KeyCase{"_topo/0/AA/x", "RAA", "L_edge"},
                    KeyCase{"_topo/7/A/x", "A7", "L_edge"}, KeyCase{"_topo/7", "A7", "L_edge"},
                    KeyCase{"_topo/", "M0_topo", "M0_topo"}, KeyCase{"_edge/A/x", "Lx", "Lx"},
                    KeyCase{"_edge/E/x", "HE", "L_edge"}, KeyCase{"_edge/E", "HE", "L_edge"},
                    KeyCase{"_topology", "M0_topology", "M0_topology"}));

TEST(MakeKeyTest, UsesThePhaseForMobileAddressesOnly) {
  EXPECT_EQ(MakeKey("orders", '3', kInterior), "M3orders");
  EXPECT_EQ(MakeKey("orders", 'F', kInterior), "MForders");
  EXPECT_EQ(MakeKey("_local/orders", 'F', kInterior), "Lorders");
}

TEST(MakeKeyTest, KeepsTheCapacityOfTheKeyItWritesInto) {
  std::string key;
  MakeKeyInto("_topo/0/A/a-name-that-does-not-fit-into-a-short-string", '0', kInterior, key);
  const size_t capacity = key.capacity();
  const char* bytes = key.data();
  MakeKeyInto("another-name-that-is-not-that-much-shorter", '1', kInterior, key);
  EXPECT_EQ(key, "M1another-name-that-is-not-that-much-shorter");
  EXPECT_EQ(key.capacity(), capacity);
  EXPECT_EQ(key.data(), bytes);
}

// Every text has a key, wherever it is cut.
TEST(MakeKeyTest, NeverFails) {
  for (const std::string text :
       {"amqps://host:5671/_topo/0/B/x.", "amqp:/_edge/A/q/", "_topo/all/all/x"}) {
    for (size_t n = 0; n <= text.size(); ++n) {
      const AddressKey key = MakeKey(text.substr(0, n), '0', kInterior);
      ASSERT_FALSE(key.empty());
      EXPECT_THAT(std::string("LTRAHM"), testing::HasSubstr(key.substr(0, 1))) << text.substr(0, n);
    }
  }
}

TEST(NormalisePatternTest, BringsSynonymsToOneForm) {
  EXPECT_EQ(NormalisePattern("a.b/c"), "a/b/c");
  EXPECT_EQ(NormalisePattern("//a/b/"), "a/b");
  EXPECT_EQ(NormalisePattern("a//b"), "a//b");
  EXPECT_EQ(NormalisePattern("#.*"), "*/#");
  EXPECT_EQ(NormalisePattern("#.#"), "#");
  EXPECT_EQ(NormalisePattern("a/#/*/#/*/b"), "a/*/*/#/b");
  EXPECT_EQ(NormalisePattern("*/#/*"), "*/*/#");
  EXPECT_EQ(NormalisePattern("a#/b*"), "a#/b*");
  EXPECT_EQ(NormalisePattern(""), "");
  EXPECT_EQ(NormalisePattern("/."), "");
  for (const char* pattern : {"a//", "#/*/#", "/a.*.#.#.b/", "//"}) {
    const std::string once = NormalisePattern(pattern);
    EXPECT_EQ(NormalisePattern(once), once);
  }
}

std::shared_ptr<const AddressSettings> Settings(const std::vector<std::string>& patterns) {
  std::vector<AddressSetting> settings;
  for (const std::string& pattern : patterns) settings.push_back({.pattern = pattern});
  auto built = AddressSettings::Build(std::move(settings), Treatment::kClosest);
  EXPECT_TRUE(built.ok()) << built.status();
  return *built;
}

// The pattern that wins; empty: the default.
std::string Winner(const std::vector<std::string>& patterns, std::string_view text) {
  return Settings(patterns)->Match(text).pattern;
}

TEST(AddressSettingsTest, GivesTheDefaultWhereNothingMatches) {
  const auto settings = Settings({"a/b"});
  EXPECT_EQ(settings->Match("a").treatment, Treatment::kClosest);
  EXPECT_EQ(settings->Match("a/b").treatment, Treatment::kBalanced);
  EXPECT_EQ(settings->Match("").pattern, "");
  EXPECT_EQ(Settings({})->Match("a/b").treatment, Treatment::kClosest);
}

TEST(AddressSettingsTest, MatchesTokensNotCharacters) {
  EXPECT_EQ(Winner({"a/b"}, "a.b"), "a/b");
  EXPECT_EQ(Winner({"a/b"}, "/a/b"), "a/b");
  EXPECT_EQ(Winner({"a/b"}, "a/b/"), "a/b");
  EXPECT_EQ(Winner({"a/b"}, "a/B"), "");
  EXPECT_EQ(Winner({"a/b"}, "ab"), "");
  EXPECT_EQ(Winner({"a/b"}, "a//b"), "");
  EXPECT_EQ(Winner({"a/*/b"}, "a//b"), "a/*/b");
}

TEST(AddressSettingsTest, TakesAPrefixAsThatAndAllBelow) {
  for (const char* text : {"orders", "orders/eu", "orders.eu.north", "orders/"}) {
    EXPECT_EQ(Winner({"orders/#"}, text), "orders/#") << text;
  }
  EXPECT_EQ(Winner({"orders/#"}, "orders2"), "");
  EXPECT_EQ(Winner({"orders/#"}, "x/orders"), "");
}

TEST(AddressSettingsTest, CountsTokens) {
  EXPECT_EQ(Winner({"a/*"}, "a"), "");
  EXPECT_EQ(Winner({"a/*"}, "a/b"), "a/*");
  EXPECT_EQ(Winner({"a/*"}, "a/b/c"), "");
  EXPECT_EQ(Winner({"#"}, ""), "#");
  EXPECT_EQ(Winner({"#"}, "a/b/c"), "#");
  EXPECT_EQ(Winner({"#/c"}, "c"), "#/c");
  EXPECT_EQ(Winner({"#/c"}, "a/b/c"), "#/c");
  EXPECT_EQ(Winner({"#/c"}, "a/c/b"), "");
  EXPECT_EQ(Winner({"a/#/z"}, "a/z"), "a/#/z");
  EXPECT_EQ(Winner({"a/#/z"}, "a/b/z/z"), "a/#/z");
  EXPECT_EQ(Winner({"a/#/z"}, "a"), "");
  EXPECT_EQ(Winner({"#/*"}, ""), "");  // the same as */#
  EXPECT_EQ(Winner({"#/*"}, "a/b"), "*/#");
}

TEST(AddressSettingsTest, PrefersTheMostSpecificTokenByToken) {
  const std::vector<std::string> all = {"a/b/c", "a/b/*", "a/b/#", "a/*/c", "a/#", "*/b/c", "#"};
  EXPECT_EQ(Winner(all, "a/b/c"), "a/b/c");
  EXPECT_EQ(Winner(all, "a/b/d"), "a/b/*");
  EXPECT_EQ(Winner(all, "a/b"), "a/b/#");
  EXPECT_EQ(Winner(all, "a/b/c/d"), "a/b/#");
  EXPECT_EQ(Winner(all, "a/x/c"), "a/*/c");
  EXPECT_EQ(Winner(all, "a/x/d"), "a/#");
  EXPECT_EQ(Winner(all, "a"), "a/#");
  EXPECT_EQ(Winner(all, "x/b/c"), "*/b/c");
  EXPECT_EQ(Winner(all, "x/b"), "#");
  EXPECT_EQ(Winner({"a/b/#", "a/*/c"}, "a/b/c"), "a/b/#");
}

TEST(AddressSettingsTest, GoesBackWhenTheMoreSpecificWayEndsNowhere) {
  EXPECT_EQ(Winner({"a/b/x", "a/*/c"}, "a/b/c"), "a/*/c");
  EXPECT_EQ(Winner({"a/*/x", "a/#/c"}, "a/b/c"), "a/#/c");
  EXPECT_EQ(Winner({"a/#/b/x", "a/#/b/#/y"}, "a/b/b/y"), "a/#/b/#/y");
}

TEST(AddressSettingsTest, RefusesTwoPatternsThatMeanTheSame) {
  const auto built =
      AddressSettings::Build({{.pattern = "a.#.*"}, {.pattern = "/a/*/#"}}, Treatment::kBalanced);
  EXPECT_EQ(built.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(built.status().message(), "pattern: 'a/*/#' already exists");
}

TEST(AddressSettingsTest, RefusesAnEmptyPattern) {
  for (const char* pattern : {"", "/", "./"}) {
    const auto built = AddressSettings::Build({{.pattern = pattern}}, Treatment::kBalanced);
    EXPECT_EQ(built.status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(AddressSettingsTest, TakesPatternsUpToTheLimit) {
  std::string pattern = "a";
  for (size_t i = 1; i < AddressSettings::kPatternTokensMax; ++i) pattern += "/a";
  EXPECT_EQ(Winner({pattern}, pattern), pattern);
  const auto built = AddressSettings::Build({{.pattern = pattern + "/a"}}, Treatment::kBalanced);
  EXPECT_EQ(built.status().code(), absl::StatusCode::kInvalidArgument);
}

// Without a memory of what has failed this takes longer than the universe has lasted.
TEST(AddressSettingsTest, StaysQuickOnTextsMadeToConfuse) {
  std::string pattern;
  for (int i = 0; i < 20; ++i) pattern += "#/a/";
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "a/";
  EXPECT_EQ(Winner({pattern + "b"}, text), "");
  EXPECT_EQ(Winner({pattern + "b"}, text + "b"), pattern + "b");
}

TEST(AddressSettingsTest, CostsTheSameWhateverTheNumberOfPrefixes) {
  std::vector<AddressSetting> settings;
  for (int i = 0; i < 100'000; ++i) settings.push_back({.pattern = std::to_string(i) + "/#"});
  const auto built = *AddressSettings::Build(std::move(settings), Treatment::kBalanced);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 100'000; ++i) ASSERT_EQ(built->Match("500/x").pattern, "500/#");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST(AddressSettingsTest, RemembersWhatFailsForEachPatternByItself) {
  EXPECT_EQ(Winner({"#", "#/a", "x/#", "x/#/b", "y/#/c/#/d"}, "x/q/b"), "x/#/b");
  EXPECT_EQ(Winner({"#", "#/a", "x/#", "x/#/b", "y/#/c/#/d"}, "x/q/a"), "x/#");
  EXPECT_EQ(Winner({"#", "#/a", "x/#", "x/#/b", "y/#/c/#/d"}, "y/c/q/a"), "#/a");
  EXPECT_EQ(Winner({"#", "#/a", "x/#", "x/#/b", "y/#/c/#/d"}, "y/c/q/d"), "y/#/c/#/d");
}

TEST(AddressSettingsTest, SpeaksOfMobileAddressesOnly) {
  const auto built =
      *AddressSettings::Build({{.pattern = "#", .egress_phase = '3'}}, Treatment::kUnavailable);
  ASSERT_NE(built->ForKey("M0orders"), nullptr);
  EXPECT_EQ(built->ForKey("MForders")->egress_phase, '3');
  for (const char* key : {"", "M", "Lorders", "Tall", "RB", "M0_$temp.abc"}) {
    EXPECT_EQ(built->ForKey(key), nullptr) << key;
  }
}

}  // namespace
}  // namespace trunkline::core
