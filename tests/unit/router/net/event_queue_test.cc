#include "router/net/event_queue.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace {

constexpr size_t kEventsMax = 100;

TEST(EventQueue, WakesControlOnceUntilItTakes) {
  EventQueue queue(kEventsMax);
  EXPECT_TRUE(queue.Push(ListenerDown{"a"}));
  EXPECT_FALSE(queue.Push(ListenerDown{"b"}));
  const std::vector<RouterEvent> events = queue.Take();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<ListenerDown>(events[1]).name, "b");
  EXPECT_TRUE(queue.Take().empty());
  EXPECT_TRUE(queue.Push(ListenerDown{"c"}));
}

TEST(EventQueue, DropsConnectionsAboveItsBoundAndNothingElse) {
  EventQueue queue(kEventsMax);
  for (size_t i = 0; i < kEventsMax; ++i) queue.Push(ConnectionUp{.id = i});
  queue.Push(ConnectionDown{.id = 7});
  queue.Push(ConnectorFailed{.name = "one of many"});
  queue.Push(ListenerDown{"important"});
  const std::vector<RouterEvent> events = queue.Take();
  ASSERT_EQ(events.size(), kEventsMax + 2);
  EXPECT_TRUE(std::holds_alternative<ListenerDown>(events[kEventsMax]));
  // It is said, once, how many.
  EXPECT_EQ(std::get<EventsLost>(events.back()).count, 2u);
  EXPECT_TRUE(queue.Take().empty());
}

}  // namespace
}  // namespace trunkline::net
