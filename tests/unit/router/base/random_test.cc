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

// Undoes what Random makes of its state: x ^ x >> n, times an odd constant, twice and a half.
uint64_t StateBehind(uint64_t number) {
  const auto unshift = [](uint64_t z, int n) {
    uint64_t x = z;
    for (int known = n; known < 64; known += n) x = z ^ x >> n;
    return x;
  };
  const auto inverse = [](uint64_t odd) {
    uint64_t x = odd;
    for (int i = 0; i < 6; ++i) x *= 2 - odd * x;
    return x;
  };
  uint64_t z = unshift(number, 31) * inverse(0x94d049bb133111eb);
  z = unshift(z, 27) * inverse(0xbf58476d1ce4e5b9);
  return unshift(z, 30);
}

// A peer that gets a name must not know the names that others get. Ten characters are nearly all
// of a number if they are all taken from one.
TEST(Random, DoesNotGiveItselfAwayByAName) {
  constexpr uint64_t kStep = 0x9e3779b97f4a7c15;
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+_";
  EXPECT_EQ(StateBehind(Random(99).Next()), 99 + kStep);
  Random random(99);
  const std::string name = random.Name(15);
  uint64_t seen = 0;
  for (int i = 0; i < 10; ++i) seen = seen << 6 | alphabet.find(name[i]);
  for (uint64_t unseen = 0; unseen < 16; ++unseen) {
    Random guess(StateBehind(seen << 4 | unseen) - kStep);
    EXPECT_NE(guess.Name(15), name);
  }
}

}  // namespace
}  // namespace trunkline
