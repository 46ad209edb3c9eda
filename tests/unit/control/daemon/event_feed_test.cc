#include "control/daemon/event_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/collection.h"
#include "proto/trunkline/control/v1/listener.pb.h"

namespace trunkline::daemon {
namespace {

using testing::Contains;
using testing::Pair;

// Fields with a text, as only those are told.
std::map<std::string, std::string> FieldsOf(const api::Events::Happening& happening) {
  std::map<std::string, std::string> fields;
  for (const auto& [name, text] : happening.fields) {
    if (!text.empty()) fields[name] = text;
  }
  return fields;
}

TEST(EventFeed, TellsWhoHasCome) {
  const auto told = ToHappening(ConnectionUp{.id = 17,
                                             .owner = "amqp",
                                             .inbound = true,
                                             .peer = "127.0.0.1:40312",
                                             .container_id = "c1",
                                             .user = "alice"});
  ASSERT_TRUE(told);
  EXPECT_EQ(told->type, "connection.opened");
  EXPECT_EQ(told->subject, "connections/17");
  EXPECT_EQ(told->message, "from 127.0.0.1:40312 by listeners/amqp");
  EXPECT_THAT(FieldsOf(*told),
              testing::ElementsAre(Pair("container_id", "c1"), Pair("direction", "in"),
                                   Pair("owner", "listeners/amqp"), Pair("peer", "127.0.0.1:40312"),
                                   Pair("user", "alice")));
}

TEST(EventFeed, TellsEndsFromFailures) {
  ConnectionDown down{.id = 3, .owner = "broker", .inbound = false, .was_open = true};
  EXPECT_EQ(ToHappening(down)->type, "connection.closed");
  EXPECT_THAT(FieldsOf(*ToHappening(down)), Contains(Pair("owner", "connectors/broker")));
  down.was_open = false;
  down.error = "TLS: no";
  EXPECT_EQ(ToHappening(down)->type, "connection.failed");
  EXPECT_THAT(FieldsOf(*ToHappening(down)), Contains(Pair("error", "TLS: no")));
  down.error.clear();
  EXPECT_FALSE(ToHappening(down)) << "it was only a look";
}

TEST(EventFeed, NamesWhatAnEventIsAbout) {
  const std::vector<std::tuple<RouterEvent, std::string, std::string>> table = {
      {ListenerUp{"amqp", {"127.0.0.1:5672"}}, "listener.up", "listeners/amqp"},
      {ListenerFailed{"amqp", "in use"}, "listener.failed", "listeners/amqp"},
      {ListenerDown{"amqp"}, "listener.down", "listeners/amqp"},
      {ConnectorFailed{.name = "broker", .retry_in_ms = 1500}, "connector.failed",
       "connectors/broker"},
      {Drained{.complete = true}, "router.drained", "router"},
      {EventsLost{7}, "events.lost", "router"},
  };
  for (const auto& [event, type, subject] : table) {
    const auto told = ToHappening(event);
    ASSERT_TRUE(told) << type;
    EXPECT_EQ(told->type, type);
    EXPECT_EQ(told->subject, subject);
  }
  EXPECT_THAT(FieldsOf(*ToHappening(ConnectorFailed{.name = "b", .retry_in_ms = 1500})),
              Contains(Pair("retry_in", "1s500ms")));
}

TEST(EventFeed, TellsWhatBecameOfAResource) {
  auto listener = std::make_shared<v1::Listener>();
  listener->set_name("listeners/amqp");
  listener->set_etag("e1");
  listener->set_source(v1::SOURCE_API);
  const config::Collection& listeners = *config::FindCollection(config::kListeners);
  const auto told = [&](auto before, auto after) {
    return ToHappening(store::Difference{&listeners, "amqp", before, after});
  };
  EXPECT_EQ(told(nullptr, listener).type, "resource.created");
  EXPECT_EQ(told(listener, listener).type, "resource.updated");
  EXPECT_EQ(told(listener, nullptr).type, "resource.deleted");
  EXPECT_EQ(told(nullptr, listener).subject, "listeners/amqp");
  EXPECT_THAT(FieldsOf(told(nullptr, listener)),
              testing::ElementsAre(Pair("etag", "e1"), Pair("source", "API")));
}

TEST(EventFeed, TellsThatTheRouterIsAnother) {
  v1::Router router;
  router.set_name("router");
  router.set_etag("e2");
  const api::Events::Happening told = ToHappening(router, v1::SOURCE_CONFIG_FILE);
  EXPECT_EQ(told.type, "resource.updated");
  EXPECT_EQ(told.subject, "router");
  EXPECT_EQ(told.message, "updated by the configuration file");
  EXPECT_THAT(FieldsOf(told),
              testing::ElementsAre(Pair("etag", "e2"), Pair("source", "CONFIG_FILE")));
}

}  // namespace
}  // namespace trunkline::daemon
