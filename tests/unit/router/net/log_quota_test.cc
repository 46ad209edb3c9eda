#include "router/net/log_quota.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <vector>

namespace trunkline::net {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LogQuota, WritesUpToItsLimitAndTellsHowManyWereMore) {
  boost::asio::io_context io;
  std::vector<uint64_t> told;
  LogQuota quota(io, 2, [&](uint64_t kept_back) { told.push_back(kept_back); });
  EXPECT_TRUE(quota.Take());
  EXPECT_TRUE(quota.Take());
  EXPECT_FALSE(quota.Take());
  EXPECT_FALSE(quota.Take());
  EXPECT_THAT(told, IsEmpty());
  io.run_one();
  EXPECT_THAT(told, ElementsAre(2u));
  EXPECT_TRUE(quota.Take()) << "what it told took one of the next";
  EXPECT_FALSE(quota.Take());
  io.run();
  EXPECT_THAT(told, ElementsAre(2u, 1u));
}

TEST(LogQuota, SaysNothingWhereNothingWasKeptBack) {
  boost::asio::io_context io;
  LogQuota quota(io, 1, [](uint64_t) { FAIL(); });
  EXPECT_TRUE(quota.Take());
  io.run();
  io.restart();
  EXPECT_TRUE(quota.Take());
}

TEST(LogQuota, MayGoBeforeItsTimer) {
  boost::asio::io_context io;
  {
    LogQuota quota(io, 1, [](uint64_t) { FAIL(); });
    quota.Take();
    quota.Take();
  }
  io.run();
}

}  // namespace
}  // namespace trunkline::net
