#include "router/net/stuck_log.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace {

core::LinkStuck StuckAt(Time at) {
  return {.link = {}, .address = "orders", .user = {}, .at = at, .age = Seconds(11)};
}

TEST(StuckLog, KeepsBackWhatIsTooMuchForOneInterval) {
  StuckLog log;
  const Time start = Time{} + kMinute;
  for (uint32_t i = 0; i < StuckLog::kLinesMax; ++i) EXPECT_TRUE(log.Take(StuckAt(start)));
  EXPECT_FALSE(log.Take(StuckAt(start)));
  EXPECT_FALSE(log.Take(StuckAt(start + StuckLog::kInterval - Duration{1})));
  EXPECT_TRUE(log.Take(StuckAt(start + StuckLog::kInterval)));
}

}  // namespace
}  // namespace trunkline::net
