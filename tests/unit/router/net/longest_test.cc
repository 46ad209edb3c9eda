#include "router/net/longest.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace {

TEST(Longest, KeepsTheLongest) {
  Longest longest;
  EXPECT_EQ(longest.Get(), Duration{});
  longest.Note(Milliseconds(2));
  longest.Note(Milliseconds(3));
  longest.Note(Milliseconds(1));
  EXPECT_EQ(longest.Get(), Milliseconds(3));
}

TEST(Longest, BeginsAgainWhenAReaderSaysSo) {
  Longest longest;
  longest.Note(Milliseconds(3));
  longest.Restart();
  EXPECT_EQ(longest.Get(), Duration{});
  longest.Note(Milliseconds(1));
  EXPECT_EQ(longest.Get(), Milliseconds(1));
  longest.Note(Milliseconds(2));
  EXPECT_EQ(longest.Get(), Milliseconds(2));
}

}  // namespace
}  // namespace trunkline::net
