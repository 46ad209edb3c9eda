#include "router/net/listen.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "router/net/admission.h"

namespace trunkline::net {
namespace {

using ::testing::StartsWith;

ListenAddress Ipv4(const char* text, uint16_t port) {
  ListenAddress where;
  auto& v4 = reinterpret_cast<sockaddr_in&>(where.address);
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET, text, &v4.sin_addr), 1);
  return where;
}

ListenAddress Ipv6(const char* text, uint16_t port) {
  ListenAddress where;
  auto& v6 = reinterpret_cast<sockaddr_in6&>(where.address);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
  return where;
}

TEST(Listen, SaysTheAddressThatItGot) {
  auto bound = Listen({Ipv4("127.0.0.1", 0)}, "localhost:0");
  ASSERT_TRUE(bound.ok()) << bound.status();
  ASSERT_EQ(bound->size(), 1u);
  EXPECT_THAT(bound->front().address, StartsWith("127.0.0.1:"));
  EXPECT_NE(bound->front().address, "127.0.0.1:0");
}

TEST(Listen, SharesOneFreePortBetweenAddresses) {
  auto bound = Listen({Ipv4("127.0.0.1", 0), Ipv4("127.0.0.2", 0)}, "both:0");
  ASSERT_TRUE(bound.ok()) << bound.status();
  ASSERT_EQ(bound->size(), 2u);
  const auto port = [](const std::string& text) { return text.substr(text.rfind(':')); };
  EXPECT_EQ(port((*bound)[0].address), port((*bound)[1].address));
}

TEST(Listen, SaysWhereAndWhyItCannot) {
  auto first = Listen({Ipv4("127.0.0.1", 0)}, "first");
  ASSERT_TRUE(first.ok());
  const std::string& address = first->front().address;
  const auto port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  const auto second = Listen({Ipv4("127.0.0.1", port)}, "127.0.0.1:5672");
  EXPECT_EQ(second.status(), absl::FailedPreconditionError(
                                 "cannot listen on 127.0.0.1:5672: Address already in use"));
}

TEST(Listen, BindsAnAddressOnceThatIsGivenTwice) {
  auto bound = Listen({Ipv4("127.0.0.1", 0), Ipv4("127.0.0.1", 0)}, "name:0");
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(bound->size(), 1u);
}

TEST(Listen, LeavesOutAnAddressThatIsNotOfThisHost) {
  auto bound = Listen({Ipv4("192.0.2.1", 0), Ipv4("127.0.0.1", 0)}, "name:0");
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(bound->size(), 1u);
  EXPECT_EQ(Listen({Ipv4("192.0.2.1", 0)}, "192.0.2.1:0").status(),
            absl::FailedPreconditionError(
                "cannot listen on 192.0.2.1:0: Cannot assign requested address"));
}

TEST(Listen, TriesAnAddressInUseOnceMoreWhenSomebodyHasLeftIt) {
  auto first = Listen({Ipv4("127.0.0.1", 0)}, "first");
  ASSERT_TRUE(first.ok());
  const uint16_t port = PortOf(first->front().where.address);
  int asked = 0;
  auto second = Listen({Ipv4("127.0.0.2", port), Ipv4("127.0.0.1", port)}, "second",
                       [&](const ListenAddress& where) {
                         ++asked;
                         EXPECT_TRUE(Collide(where, first->front().where));
                         first->clear();
                         return true;
                       });
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->size(), 2u);
  EXPECT_EQ(asked, 1);
}

TEST(Listen, AsksNobodyToLeaveWhenThatWouldNotHelp) {
  const auto ask = [](const ListenAddress&) {
    ADD_FAILURE() << "nobody is in the way";
    return true;
  };
  EXPECT_FALSE(Listen({Ipv4("192.0.2.1", 0)}, "not of this host", ask).ok());
}

TEST(Listen, KnowsWhichAddressesLeaveNoRoomForEachOther) {
  EXPECT_TRUE(Collide(Ipv4("127.0.0.1", 1), Ipv4("127.0.0.1", 1)));
  EXPECT_TRUE(Collide(Ipv4("127.0.0.1", 1), Ipv6("::ffff:127.0.0.1", 1)));
  EXPECT_TRUE(Collide(Ipv4("127.0.0.1", 1), Ipv4("0.0.0.0", 1)));
  EXPECT_TRUE(Collide(Ipv6("::", 1), Ipv4("127.0.0.1", 1)));
  EXPECT_FALSE(Collide(Ipv4("127.0.0.1", 1), Ipv4("127.0.0.2", 1)));
  EXPECT_FALSE(Collide(Ipv4("127.0.0.1", 1), Ipv6("::1", 1)));
  EXPECT_FALSE(Collide(Ipv4("0.0.0.0", 1), Ipv4("0.0.0.0", 2)));
}

TEST(AddressText, BracketsIpv6AndUndressesMappedIpv4) {
  EXPECT_EQ(AddressText(Ipv4("10.1.2.3", 5672).address), "10.1.2.3:5672");
  EXPECT_EQ(AddressText(Ipv6("::1", 5671).address), "[::1]:5671");
  EXPECT_EQ(AddressText(Ipv6("::ffff:10.1.2.3", 1).address), "10.1.2.3:1");
}

TEST(Admission, LeavesDescriptorsForTheProcessItself) {
  EXPECT_EQ(SocketsFor(1024), 1024u - 51 - 32);
  EXPECT_EQ(SocketsFor(20000), 19000u - 32);
  EXPECT_EQ(SocketsFor(20), 1u);
}

}  // namespace
}  // namespace trunkline::net
