#include "router/net/places.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

namespace trunkline::net {
namespace {

PeerHost Host(const std::string& text) {
  sockaddr_storage address{};
  if (text.find(':') == std::string::npos) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address);
    v4.sin_family = AF_INET;
    EXPECT_EQ(inet_pton(AF_INET, text.c_str(), &v4.sin_addr), 1);
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
    v6.sin6_family = AF_INET6;
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr), 1);
  }
  return PeerHost::Of(address);
}

TEST(PeerHost, IsAnIpv4AddressOrTheNetworkOfAnIpv6Address) {
  EXPECT_EQ(Host("10.0.0.1"), Host("10.0.0.1"));
  EXPECT_FALSE(Host("10.0.0.1") == Host("10.0.0.2"));
  EXPECT_EQ(Host("10.0.0.1"), Host("::ffff:10.0.0.1"));
  EXPECT_FALSE(Host("::ffff:10.0.0.1") == Host("::ffff:10.0.0.2"));
  EXPECT_EQ(Host("2001:db8:0:1::1"), Host("2001:db8:0:1:ffff::2"));
  EXPECT_FALSE(Host("2001:db8:0:1::1") == Host("2001:db8:0:2::1"));
}

class PlacesTest : public ::testing::Test {
 protected:
  PlacesTest() { listener_.name = "in"; }
  std::optional<Refusal> Ask(const std::string& host, Places::InUse in_use = {}) {
    return places_.Refuse(listener_, Host(host), in_use);
  }
  // Lets `count` of them in; stops at a refusal.
  uint32_t Enter(const std::string& host, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      if (Ask(host)) return i;
      places_.Enter("in", Host(host));
    }
    return count;
  }

  Places places_{0, 1000};
  ListenerSpec listener_;
};

TEST_F(PlacesTest, AListenerHasAsManyAsItsLimitSays) {
  listener_.max_connections = 2;
  EXPECT_EQ(Enter("10.0.0.1", 3), 2u);
  EXPECT_EQ(Ask("10.0.0.2"), Refusal::kListenerFull);
  places_.Open("in", Host("10.0.0.1"));
  EXPECT_EQ(Ask("10.0.0.1"), Refusal::kListenerFull);
  places_.Leave("in", Host("10.0.0.1"), true);
  EXPECT_EQ(Ask("10.0.0.1"), std::nullopt);
}

TEST_F(PlacesTest, TheRouterHasAsManyAsItsLimitSays) {
  const Places few(100, 1000);
  EXPECT_EQ(few.Refuse(listener_, Host("10.0.0.1"), {.connections = 99}), std::nullopt);
  EXPECT_EQ(few.Refuse(listener_, Host("10.0.0.1"), {.connections = 100}), Refusal::kRouterFull);
}

TEST_F(PlacesTest, AnotherLimitOfTheRouterCountsForThoseThatCome) {
  places_.SetRouterMax(100);
  EXPECT_EQ(Ask("10.0.0.1", {.connections = 99}), std::nullopt);
  EXPECT_EQ(Ask("10.0.0.1", {.connections = 100}), Refusal::kRouterFull);
  places_.SetRouterMax(0);
  EXPECT_EQ(Ask("10.0.0.1", {.connections = 100}), std::nullopt);
}

TEST_F(PlacesTest, ThereAreNoMoreThanDescriptors) {
  EXPECT_EQ(Ask("10.0.0.1", {.sockets = 999}), std::nullopt);
  EXPECT_EQ(Ask("10.0.0.1", {.sockets = 1000}), Refusal::kDescriptors);
}

TEST_F(PlacesTest, AnAddressGetsHalfOfThemForWhatIsNotOpen) {
  EXPECT_EQ(Enter("10.0.0.1", 501), 500u);
  EXPECT_EQ(Ask("10.0.0.1"), Refusal::kUnopened);
  EXPECT_EQ(Ask("10.0.0.2"), std::nullopt) << "others have theirs";
  places_.Open("in", Host("10.0.0.1"));
  EXPECT_EQ(Ask("10.0.0.1"), std::nullopt) << "what is open does not count";
  EXPECT_EQ(Enter("10.0.0.1", 2), 1u);
  places_.Leave("in", Host("10.0.0.1"), false);
  EXPECT_EQ(Ask("10.0.0.1"), std::nullopt);
}

TEST_F(PlacesTest, AnAddressGetsHalfOfAListenersPlaces) {
  listener_.max_connections = 50;
  EXPECT_EQ(Enter("10.0.0.1", 26), 25u);
  EXPECT_EQ(Enter("10.0.0.2", 26), 25u);
  EXPECT_EQ(Ask("10.0.0.3"), Refusal::kListenerFull);
}

TEST_F(PlacesTest, AnAddressGetsSomeHoweverFewThereAre) {
  listener_.max_connections = 20;
  EXPECT_EQ(Enter("10.0.0.1", 17), Places::kUnopenedMin);
}

TEST_F(PlacesTest, WhatTheOperatorSaysCounts) {
  listener_.max_unopened_per_address = 3;
  EXPECT_EQ(Enter("10.0.0.1", 4), 3u);
  EXPECT_EQ(Ask("10.0.0.1"), Refusal::kUnopened);
  listener_.max_unopened_per_address = 900;
  EXPECT_EQ(Enter("10.0.0.1", 1000), 897u) << "more than half, too";
}

TEST_F(PlacesTest, AnAddressHasOneShareOnAllListeners) {
  EXPECT_EQ(Enter("10.0.0.1", 500), 500u);
  listener_.name = "other";
  EXPECT_EQ(Ask("10.0.0.1"), Refusal::kUnopened);
  EXPECT_EQ(places_.UnopenedOf("in", Host("10.0.0.1")), 500u);
  EXPECT_EQ(places_.UnopenedOf("other", Host("10.0.0.1")), 0u);
}

TEST_F(PlacesTest, KeepsNothingOfThoseWhoAreGone) {
  Enter("10.0.0.1", 3);
  places_.Open("in", Host("10.0.0.1"));
  places_.Leave("in", Host("10.0.0.1"), true);
  places_.Leave("in", Host("10.0.0.1"), false);
  places_.Leave("in", Host("10.0.0.1"), false);
  EXPECT_EQ(places_.ConnectionsOf("in"), 0u);
  EXPECT_EQ(places_.UnopenedOf("in", Host("10.0.0.1")), 0u);
}

}  // namespace
}  // namespace trunkline::net
