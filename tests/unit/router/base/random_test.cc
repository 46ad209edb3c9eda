#include "router/base/random.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace trunkline {
namespace {

TEST(Random, RepeatsItselfForTheSameSeed) {
  Random a(1);
  Random b(1);
  Random c(2);
  const uint64_t first = a.Next();
  EXPECT_EQ(first, b.Next());
  EXPECT_NE(first, c.Next());
  EXPECT_NE(first, a.Next());
}

// Seeds are part of bug reports: what they stand for must not change.
TEST(Random, IsTheSameEverywhere) {
  Random random(0);
  EXPECT_EQ(random.Next(), 0xe220a8397b1dcdafu);
  EXPECT_EQ(random.Next(), 0x6e789e6aa1b965f4u);
}

TEST(Random, StaysBelowItsBound) {
  Random random(3);
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.Below(7));
  EXPECT_EQ(seen.size(), 7u);
  EXPECT_EQ(*seen.rbegin(), 6u);
  EXPECT_EQ(random.Below(1), 0u);
}

TEST(Random, MakesNamesOfTheLengthAskedFor) {
  Random random(4);
  const std::string allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+_";
  std::set<char> seen;
  std::set<std::string> names;
  for (int n : {0, 1, 9, 10, 11, 15, 100}) {
    const std::string name = random.Name(n);
    EXPECT_EQ(name.size(), static_cast<size_t>(n));
    EXPECT_EQ(name.find_first_not_of(allowed), std::string::npos) << name;
  }
  for (int i = 0; i < 1000; ++i) {
    const std::string name = random.Name(15);
    EXPECT_TRUE(names.insert(name).second) << name;
    seen.insert(name.begin(), name.end());
  }
  EXPECT_EQ(seen.size(), allowed.size());
}

}  // namespace
}  // namespace trunkline
