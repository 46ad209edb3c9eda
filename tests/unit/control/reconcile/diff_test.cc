#include "control/reconcile/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::reconcile {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Key;

Resources Make(std::map<std::string, uint16_t> listeners, std::vector<std::string> connectors,
               std::vector<std::string> prefixes) {
  Resources resources;
  for (const auto& [name, port] : listeners) {
    resources.listeners[name] = {.name = name, .port = port};
  }
  for (const std::string& name : connectors) resources.connectors[name] = {.name = name};
  for (const std::string& prefix : prefixes) {
    resources.addresses.push_back({.name = prefix, .prefix = prefix});
  }
  return resources;
}

TEST(Diff, OfEqualsIsNothing) {
  const Resources resources = Make({{"a", 1}}, {"c"}, {"p"});
  EXPECT_THAT(Diff(resources, resources), IsEmpty());
  EXPECT_THAT(Diff({}, {}), IsEmpty());
}

TEST(Diff, PutsAddressesBeforeThoseWhoUseThem) {
  const Resources want = Make({{"a", 1}, {"b", 2}}, {"c"}, {"p"});
  const std::vector<Action> expected = {ApplyAddresses{want.addresses}, want.listeners.at("a"),
                                        want.listeners.at("b"), want.connectors.at("c")};
  EXPECT_TRUE(Diff({}, want) == expected);
}

TEST(Diff, PutsTheRouterBeforeAddresses) {
  Resources want = Make({{"a", 1}}, {}, {"p"});
  want.router.max_connections = 7;
  const std::vector<Action> expected = {ApplyRouter{want.router}, ApplyAddresses{want.addresses},
                                        want.listeners.at("a")};
  EXPECT_TRUE(Diff({}, want) == expected);
}

TEST(Diff, RemovesFirstAsPortsMayMove) {
  const Resources have = Make({{"a", 1}, {"b", 2}}, {"c"}, {});
  const Resources want = Make({{"b", 2}, {"x", 1}}, {"d"}, {});
  const std::vector<Action> expected = {RemoveConnector{"c"}, RemoveListener{"a"},
                                        want.listeners.at("x"), want.connectors.at("d")};
  EXPECT_TRUE(Diff(have, want) == expected);
}

TEST(Diff, AppliesOnlyWhatChanged) {
  const Resources have = Make({{"a", 1}, {"b", 2}}, {"c"}, {"p"});
  Resources want = have;
  want.listeners["b"].connection.link_capacity = 1;
  EXPECT_TRUE(Diff(have, want) == std::vector<Action>{want.listeners.at("b")});
  want = have;
  want.connectors["c"].connection.tls_profile = "t";
  EXPECT_TRUE(Diff(have, want) == std::vector<Action>{want.connectors.at("c")});
  want = have;
  want.addresses.clear();
  EXPECT_TRUE(Diff(have, want) == std::vector<Action>{ApplyAddresses{}});
}

TEST(Resources, AreThoseOfTheDocument) {
  const Resources resources = ResourcesOf(config::DefaultDocument(), {});
  EXPECT_EQ(resources.listeners.at("amqp").host, "127.0.0.1");
  EXPECT_EQ(resources.listeners.at("amqp-ipv6").host, "::1");
  EXPECT_EQ(resources.listeners.at("amqp-ipv6").port, 5672);
  EXPECT_THAT(resources.connectors, IsEmpty());
}

TEST(Resources, AreNoneOfWhatIsSwitchedOff) {
  config::Document document;
  for (const char* id : {"off", "on"}) {
    document.listeners[id].set_name(std::string("listeners/") + id);
    document.listeners[id].mutable_spec()->set_enabled(std::string(id) == "on");
    document.connectors[id].set_name(std::string("connectors/") + id);
    document.connectors[id].mutable_spec()->set_enabled(std::string(id) == "on");
  }
  const Resources resources = ResourcesOf(document, {});
  EXPECT_THAT(resources.listeners, ElementsAre(Key("on")));
  EXPECT_THAT(resources.connectors, ElementsAre(Key("on")));
}

}  // namespace
}  // namespace trunkline::reconcile
