#include "router/net/login_limit.h"

#include <string>

#include "gtest/gtest.h"

namespace trunkline::net {
namespace {

constexpr Time kStart{kMinute.ns};

TEST(LoginLimit, AllowsABurstAndThenOnePerSecond) {
  LoginLimit limit;
  for (int i = 0; i < LoginLimit::kBurst; ++i) {
    EXPECT_TRUE(limit.Allows("a", kStart)) << i;
    limit.Failed("a", kStart);
  }
  EXPECT_FALSE(limit.Allows("a", kStart));
  EXPECT_TRUE(limit.Allows("b", kStart));
  EXPECT_FALSE(limit.Allows("a", kStart + Milliseconds(999)));
  EXPECT_TRUE(limit.Allows("a", kStart + Seconds(1)));
  limit.Failed("a", kStart + Seconds(1));
  EXPECT_FALSE(limit.Allows("a", kStart + Seconds(1)));
}

TEST(LoginLimit, ForgetsInTime) {
  LoginLimit limit;
  for (int i = 0; i < 100; ++i) limit.Failed("a", kStart);
  EXPECT_FALSE(limit.Allows("a", kStart));
  EXPECT_TRUE(limit.Allows("a", kStart + Seconds(1))) << "more than a burst adds nothing";
  for (int i = 1; i < LoginLimit::kBurst; ++i) limit.Failed("a", kStart + Seconds(10));
  EXPECT_TRUE(limit.Allows("a", kStart + Seconds(10)));
}

TEST(LoginLimit, RemembersABoundedNumberOfAddresses) {
  LoginLimit limit;
  for (int i = 0; i < LoginLimit::kBurst; ++i) limit.Failed("worst", kStart);
  for (size_t i = 0; i < LoginLimit::kAddressesMax + 100; ++i) {
    limit.Failed("a" + std::to_string(i), kStart);
  }
  EXPECT_EQ(limit.size(), LoginLimit::kAddressesMax);
  EXPECT_FALSE(limit.Allows("worst", kStart)) << "those with least to forget go first";
  limit.Failed("new", kStart + Seconds(2));
  EXPECT_EQ(limit.size(), 2u) << "those with nothing to forget go at once";
}

TEST(HostOf, IsAnAddressOrANetwork) {
  EXPECT_EQ(HostOf("127.0.0.1:40312"), "127.0.0.1");
  EXPECT_EQ(HostOf("[2001:db8:1:2:3:4:5:6]:40312"), "2001:db8:1:2::");
  EXPECT_EQ(HostOf("[2001:db8:1:2:ffff::1]:1"), "2001:db8:1:2::");
  EXPECT_EQ(HostOf("[fe80::1%eth0]:1"), "fe80::");
  EXPECT_EQ(HostOf("[::ffff:192.0.2.1]:1"), "::ffff:192.0.2.1");
  EXPECT_EQ(HostOf("nonsense"), "nonsense");
  EXPECT_EQ(HostOf("[]:1"), "");
  EXPECT_EQ(HostOf(""), "");
}

}  // namespace
}  // namespace trunkline::net
