#include "router/net/placement.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace {

TEST(LeastLoaded, IsTheFirstOfThoseWithTheFewestConnections) {
  EXPECT_EQ(LeastLoaded({7}), 0u);
  EXPECT_EQ(LeastLoaded({0, 0, 0}), 0u);
  EXPECT_EQ(LeastLoaded({1, 0, 0}), 1u);
  EXPECT_EQ(LeastLoaded({2, 2, 1, 1}), 2u);
}

}  // namespace
}  // namespace trunkline::net
