#include "router/net/dial_schedule.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace {

ConnectorSpec Spec(int failover) {
  ConnectorSpec spec;
  spec.host = {"first", 1};
  for (int i = 0; i < failover; ++i) spec.failover.push_back({"other", static_cast<uint16_t>(i)});
  return spec;
}

TEST(DialSchedule, WaitsFiveSecondsAfterAFailureAndTwoAfterALoss) {
  DialSchedule schedule(Spec(0));
  EXPECT_EQ(schedule.Failed(), Seconds(5));
  EXPECT_EQ(schedule.Closed(), Seconds(2));
  EXPECT_EQ(schedule.Candidate(), (HostPort{"first", 1}));
}

TEST(DialSchedule, WaitsOneSecondWithMoreThanOneCandidate) {
  DialSchedule schedule(Spec(1));
  EXPECT_EQ(schedule.Failed(), Seconds(1));
  EXPECT_EQ(schedule.Closed(), Seconds(1));
}

TEST(DialSchedule, TriesEachCandidateTwiceAndBeginsAgain) {
  DialSchedule schedule(Spec(2));
  std::vector<HostPort> tried;
  for (int i = 0; i < 8; ++i) {
    tried.push_back(schedule.Candidate());
    schedule.Failed();
  }
  const HostPort a{"first", 1}, b{"other", 0}, c{"other", 1};
  EXPECT_EQ(tried, (std::vector<HostPort>{a, a, b, b, c, c, a, a}));
}

TEST(DialSchedule, StaysWithACandidateThatWorked) {
  DialSchedule schedule(Spec(1));
  schedule.Failed();
  schedule.Closed();
  EXPECT_EQ(schedule.Candidate(), (HostPort{"first", 1}));
  schedule.Failed();
  EXPECT_EQ(schedule.Candidate(), (HostPort{"first", 1}));
  schedule.Failed();
  EXPECT_EQ(schedule.Candidate(), (HostPort{"other", 0}));
}

}  // namespace
}  // namespace trunkline::net
