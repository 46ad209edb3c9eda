#include "router/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <deque>

#include "tests/unit/router/net/router_fixture.h"

namespace trunkline::net::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

// Message with one data section.
std::string Message(const std::string& body) {
  return std::string("\x00\x53\x75\xa0", 4) + static_cast<char>(body.size()) + body;
}

TEST(Router, HasOneToSixteenWorkers) {
  EXPECT_EQ(Router::Start({.id = "r", .workers = -1}, [] {}).status(),
            absl::InvalidArgumentError("workers: -1 is not in 0..16"));
  EXPECT_EQ(Router::Start({.id = "r", .workers = 17}, [] {}).status(),
            absl::InvalidArgumentError("workers: 17 is not in 0..16"));
  EXPECT_TRUE(Router::Start({.id = "r", .workers = 0}, [] {}).ok());
  EXPECT_TRUE(Router::Start({.id = "r", .workers = 1}, [] {}).ok());
  EXPECT_TRUE(Router::Start({.id = "r", .workers = 16}, [] {}).ok());
}

TEST(Router, CarriesAMessageAndItsSettlement) {
  TestRouter router;
  const std::string address = router.Listen();
  SocketClient consumer(address);
  SocketClient producer(address);
  const auto in = consumer->Receiver("orders");
  const auto out = producer->Sender("orders");
  producer->Send(out, Message("hello"));
  ASSERT_TRUE(
      RunUntil({&consumer, &producer}, [&] { return !producer->link(out).outcomes.empty(); }));
  ASSERT_THAT(consumer->link(in).received, SizeIs(1));
  EXPECT_EQ(consumer->link(in).received[0].bytes, Message("hello"));
  EXPECT_EQ(producer->link(out).outcomes[0].outcome, amqp::OutcomeKind::kAccepted);
  EXPECT_TRUE(producer->link(out).outcomes[0].settled);
  const RouterCounters counters = router->Counters();
  EXPECT_EQ(counters.deliveries_in, 1u);
  EXPECT_EQ(counters.deliveries_out, 1u);
  EXPECT_EQ(counters.accepted, 1u);
  EXPECT_EQ(counters.connections_now, 2u);
  EXPECT_EQ(counters.links_now, 2u);
}

TEST(Router, CarriesThousandsOfMessagesInOrder) {
  constexpr size_t kMessages = 20'000;
  TestRouter router;
  const std::string address = router.Listen();
  SocketClient consumer(address);
  SocketClient producer(address);
  const auto in = consumer->Receiver("orders", kMessages);
  const auto out = producer->Sender("orders");
  for (size_t i = 0; i < kMessages; ++i) producer->Send(out, Message(std::to_string(i)));
  ASSERT_TRUE(RunUntil({&consumer, &producer},
                       [&] { return producer->link(out).outcomes.size() == kMessages; }));
  ASSERT_THAT(consumer->link(in).received, SizeIs(kMessages));
  for (size_t i = 0; i < kMessages; ++i) {
    ASSERT_EQ(consumer->link(in).received[i].bytes, Message(std::to_string(i)));
  }
}

TEST(Router, CarriesAMessageThatIsLargerThanAllBuffers) {
  TestRouter router;
  const std::string address = router.Listen();
  SocketClient consumer(address);
  SocketClient producer(address);
  const auto in = consumer->Receiver("orders");
  const auto out = producer->Sender("orders");
  std::string message("\x00\x53\x75\xb0\x01\x00\x00\x00", 8);  // 16 MiB of data
  message.append(16u << 20, 'x');
  producer->Send(out, message);
  ASSERT_TRUE(
      RunUntil({&consumer, &producer}, [&] { return !producer->link(out).outcomes.empty(); }));
  ASSERT_THAT(consumer->link(in).received, SizeIs(1));
  EXPECT_TRUE(consumer->link(in).received[0].bytes == message);
}

TEST(Router, TellsPeersWhatItIs) {
  TestRouter router;
  SocketClient client(router.Listen());
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->opened(); }));
  EXPECT_EQ(client->remote_open().container_id, "router");
  const std::string& properties = client->remote_open().properties;
  EXPECT_THAT(properties, HasSubstr("trunkline"));
  EXPECT_THAT(properties, HasSubstr("1.2.3"));
  EXPECT_THAT(properties, HasSubstr("qd.conn-id"));
}

TEST(Router, TellsOfConnectionsThatComeAndGo) {
  TestRouter router;
  SocketClient client(router.Listen());
  ASSERT_TRUE(RunUntil({&client}, [&] { return router.Last<ConnectionUp>().has_value(); }));
  const ConnectionUp up = *router.Last<ConnectionUp>();
  EXPECT_EQ(up.owner, "in");
  EXPECT_TRUE(up.inbound);
  EXPECT_EQ(up.container_id, "client");
  EXPECT_THAT(up.peer, StartsWith("127.0.0.1:"));
  client.HangUp();
  ASSERT_TRUE(RunUntil({}, [&] { return router.Last<ConnectionDown>().has_value(); }));
  const ConnectionDown down = *router.Last<ConnectionDown>();
  EXPECT_EQ(down.id, up.id);
  EXPECT_TRUE(down.was_open);
  EXPECT_NE(down.error, "");
}

TEST(Router, EndsAConnectionInOrderWithoutAnError) {
  TestRouter router;
  SocketClient client(router.Listen());
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->opened(); }));
  client->engine().Close();
  ASSERT_TRUE(RunUntil({&client}, [&] { return client.ended(); }));
  EXPECT_TRUE(client->closed());
  ASSERT_TRUE(RunUntil({}, [&] { return router.Last<ConnectionDown>().has_value(); }));
  EXPECT_EQ(router.Last<ConnectionDown>()->error, "");
  EXPECT_EQ(router->Counters().connections_now, 0u);
}

// The last bytes and the end of the stream may be there together when the router looks.
TEST(Router, HearsTheEndThatComesWithTheLastBytes) {
  constexpr size_t kClients = 50;
  TestRouter router;
  const std::string address = router.Listen();
  SocketClient consumer(address);
  const auto in = consumer->Receiver("orders", kClients);
  std::deque<SocketClient> clients;
  for (size_t i = 0; i < kClients; ++i) {
    SocketClient& client = clients.emplace_back(address);
    const auto out = client->Sender("orders");
    ASSERT_TRUE(RunUntil({&consumer, &client}, [&] { return client->link(out).credit > 0; }));
    client->Send(out, Message("last"), true);
    client.Pump();
    ASSERT_EQ(shutdown(client.fd(), SHUT_WR), 0);
  }
  const auto all_are_gone = [&] { return router->Counters().connections_now == 1; };
  EXPECT_TRUE(RunUntil({&consumer}, all_are_gone, std::chrono::seconds(5)));
  EXPECT_TRUE(
      RunUntil({&consumer}, [&] { return consumer->link(in).received.size() == kClients; }));
}

TEST(Router, HearsTheEndOfAPeerThatNeverOpened) {
  TestRouter router;
  const std::string address = router.Listen();
  std::deque<SocketClient> clients;
  for (int i = 0; i < 50; ++i) {
    SocketClient& client = clients.emplace_back(address);
    ASSERT_TRUE(RunUntil({&client}, [&] { return client.connected(); }));
    ASSERT_EQ(shutdown(client.fd(), SHUT_WR), 0);
  }
  const auto all_are_gone = [&] {
    const RouterCounters counters = router->Counters();
    return counters.connections_total == 50 && counters.connections_now == 0;
  };
  EXPECT_TRUE(RunUntil({}, all_are_gone, std::chrono::seconds(5)));
}

TEST(Router, WaitsForNothingOnceBothHaveSaidClose) {
  TestRouter router;
  SocketClient client(router.Listen());
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->opened(); }));
  client->engine().Close();
  ASSERT_TRUE(RunUntil({&client}, [&] { return client.ended(); }));
  // The client keeps its socket; the router has none any more to hear it with.
  const auto is_refused = [&] { return send(client.fd(), "x", 1, MSG_NOSIGNAL) < 0; };
  EXPECT_TRUE(RunUntil({}, is_refused, std::chrono::seconds(1)));
}

TEST(Router, HearsOutAPeerThatMadeAMistake) {
  TestRouter router;
  SocketClient client(router.Listen());
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->opened(); }));
  // A frame that is too large, and more behind it than is read at once.
  const std::string mistake("\x7f\xff\xff\xff\x02\x00\x00\x00", 8);
  const std::string bytes = mistake + std::string(128 * 1024, 'x');
  ASSERT_EQ(send(client.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL), std::ssize(bytes));
  ASSERT_TRUE(RunUntil({&client}, [&] { return client.ended(); }));
  EXPECT_EQ(client->close_error().name, "amqp:connection:framing-error");
}

TEST(Router, GivesUpOnAPeerThatNeverOpens) {
  TestRouter router;
  ListenerSpec spec;
  spec.connection.handshake_timeout = Milliseconds(50);
  SocketClient client(router.Listen(spec), {.speaks_amqp = false});
  ASSERT_TRUE(RunUntil({&client}, [&] { return client.ended(); }));
  ASSERT_TRUE(RunUntil({}, [&] { return router.Last<ConnectionDown>().has_value(); }));
  EXPECT_FALSE(router.Last<ConnectionDown>()->was_open);
  EXPECT_EQ(router.Last<ConnectionDown>()->error, "Timeout waiting for initial handshake");
}

TEST(Router, OpensAndAttachesTwoThousandConnectionsAtOnce) {
  constexpr size_t kClients = 2000;
  TestRouter router;
  const std::string address = router.Listen();
  std::deque<SocketClient> clients;
  std::vector<SocketClient*> all;
  std::vector<amqp::LinkIndex> links;
  for (size_t i = 0; i < kClients; ++i) {
    SocketClient& client = clients.emplace_back(address);
    ASSERT_TRUE(client.connected()) << i;
    all.push_back(&client);
    links.push_back(client->Receiver("address" + std::to_string(i)));
  }
  ASSERT_TRUE(RunUntil(all, [&] {
    for (size_t i = 0; i < kClients; ++i) {
      if (!clients[i]->link(links[i]).attached) return false;
    }
    return true;
  }));
  EXPECT_EQ(router->Counters().connections_now, kClients);
  EXPECT_EQ(router->Counters().links_now, kClients);
  for (SocketClient& client : clients) client.HangUp();
  EXPECT_TRUE(RunUntil({}, [&] { return router->Counters().connections_now == 0; }));
  EXPECT_EQ(router->Counters().links_now, 0u);
}

// --- drain and stop

TEST(Router, DrainsAndClosesWithACondition) {
  TestRouter router;
  const std::string address = router.Listen();
  SocketClient consumer(address);
  SocketClient producer(address);
  const auto in = consumer->Receiver("orders");
  consumer->link(in).accepts = false;  // keeps the delivery
  const auto out = producer->Sender("orders");
  producer->Send(out, Message("last"));
  ASSERT_TRUE(
      RunUntil({&consumer, &producer}, [&] { return !consumer->link(in).received.empty(); }));
  router->Drain(Seconds(30));
  // Nobody comes in any more, but what is there goes on.
  ASSERT_TRUE(
      RunUntil({&consumer, &producer}, [&] { return router.Last<ListenerDown>().has_value(); }));
  EXPECT_FALSE(SocketClient(address).connected());
  EXPECT_FALSE(router.Last<Drained>().has_value());
  const auto& received = consumer->link(in).received.front();
  consumer->engine().Dispose(in, received.delivery,
                             {.kind = amqp::OutcomeKind::kAccepted, .raw = {}}, true);
  ASSERT_TRUE(RunUntil({&consumer, &producer}, [&] { return router.Last<Drained>().has_value(); }));
  EXPECT_TRUE(router.Last<Drained>()->complete);
  EXPECT_THAT(producer->link(out).outcomes, SizeIs(1));
  ASSERT_TRUE(
      RunUntil({&consumer, &producer}, [&] { return consumer.ended() && producer.ended(); }));
  EXPECT_EQ(producer->close_error().name, "amqp:connection:forced");
  EXPECT_EQ(producer->close_error().description, "router is shutting down");
}

TEST(Router, DrainGivesUpAtTheLimit) {
  TestRouter router;
  const std::string address = router.Listen();
  SocketClient consumer(address);
  SocketClient producer(address);
  const auto in = consumer->Receiver("orders");
  consumer->link(in).accepts = false;
  const auto out = producer->Sender("orders");
  producer->Send(out, Message("stuck"));
  ASSERT_TRUE(
      RunUntil({&consumer, &producer}, [&] { return !consumer->link(in).received.empty(); }));
  router->Drain(Milliseconds(100));
  ASSERT_TRUE(RunUntil({&consumer, &producer}, [&] { return router.Last<Drained>().has_value(); }));
  EXPECT_FALSE(router.Last<Drained>()->complete);
  EXPECT_EQ(router.Last<Drained>()->unsettled, 1u);
}

TEST(Router, TakesNoRequestsAfterStop) {
  TestRouter router;
  const std::string address = router.Listen();
  SocketClient client(address);
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->opened(); }));
  router->Stop();
  EXPECT_TRUE(RunUntil({&client}, [&] { return client.ended(); }));
  ListenerSpec spec;
  spec.name = "late";
  EXPECT_EQ(router->Apply(spec), absl::FailedPreconditionError("the router is stopped"));
  router->Stop();
}

// --- addresses

TEST(Router, RefusesTwoSettingsForOnePattern) {
  TestRouter router;
  const AddressSpec a{.name = "a", .prefix = "orders"};
  const AddressSpec b{.name = "b", .pattern = "orders/#"};
  EXPECT_TRUE(router->Apply(std::vector<AddressSpec>{a}).ok());
  EXPECT_EQ(router->Apply(std::vector<AddressSpec>{a, b}).code(), absl::StatusCode::kAlreadyExists);
}

TEST(Router, FollowsANewSettingOfAnAddress) {
  TestRouter router;
  const std::string address = router.Listen();
  ASSERT_TRUE(router
                  ->Apply(std::vector<AddressSpec>{
                      {.name = "news", .prefix = "news", .distribution = Distribution::kMulticast}})
                  .ok());
  SocketClient one(address);
  SocketClient two(address);
  SocketClient producer(address);
  const auto in_one = one->Receiver("news/today");
  const auto in_two = two->Receiver("news/today");
  ASSERT_TRUE(RunUntil({&one, &two},
                       [&] { return one->link(in_one).attached && two->link(in_two).attached; }));
  const auto out = producer->Sender("news/today");
  producer->Send(out, Message("to both"));
  ASSERT_TRUE(
      RunUntil({&one, &two, &producer}, [&] { return !producer->link(out).outcomes.empty(); }));
  EXPECT_THAT(one->link(in_one).received, SizeIs(1));
  EXPECT_THAT(two->link(in_two).received, SizeIs(1));
}

// --- settings

TEST(Router, FollowsAnotherDefaultDistribution) {
  TestRouter router;
  const std::string address = router.Listen();
  const std::vector<AddressSpec> addresses = {
      {.name = "one", .prefix = "one", .distribution = Distribution::kClosest}};
  ASSERT_TRUE(router->Apply(addresses).ok());
  ASSERT_TRUE(router->Apply(RouterSettings{.default_distribution = Distribution::kMulticast}).ok());
  EXPECT_EQ(router->settings().default_distribution, Distribution::kMulticast);
  SocketClient one(address);
  SocketClient two(address);
  SocketClient producer(address);
  const auto in_one = one->Receiver("news");
  const auto in_two = two->Receiver("news");
  ASSERT_TRUE(RunUntil({&one, &two},
                       [&] { return one->link(in_one).attached && two->link(in_two).attached; }));
  const auto out = producer->Sender("news");
  producer->Send(out, Message("to both"));
  ASSERT_TRUE(
      RunUntil({&one, &two, &producer}, [&] { return !producer->link(out).outcomes.empty(); }));
  EXPECT_THAT(one->link(in_one).received, SizeIs(1));
  EXPECT_THAT(two->link(in_two).received, SizeIs(1));
  // What addresses say of themselves stays, also where they are changed later.
  EXPECT_EQ(router->Resolve("one/x").distribution, Distribution::kClosest);
  EXPECT_EQ(router->Resolve("one/x").setting, "one");
  EXPECT_EQ(router->Resolve("two").distribution, Distribution::kMulticast);
  ASSERT_TRUE(router->Apply(std::vector<AddressSpec>()).ok());
  EXPECT_EQ(router->Resolve("one/x").distribution, Distribution::kMulticast);
}

TEST(Router, FollowsAnotherMaximumOfConnections) {
  TestRouter router({.settings = {.max_connections = 1}});
  const std::string address = router.Listen();
  SocketClient first(address);
  ASSERT_TRUE(RunUntil({&first}, [&] { return first->opened(); }));
  SocketClient refused(address);
  ASSERT_TRUE(RunUntil({&first, &refused}, [&] { return refused.ended(); }));
  ASSERT_TRUE(router->Apply(RouterSettings{.max_connections = 2}).ok());
  SocketClient second(address);
  ASSERT_TRUE(RunUntil({&first, &second}, [&] { return second->opened(); }));
  // Less than there are: who is there stays.
  ASSERT_TRUE(router->Apply(RouterSettings{.max_connections = 1}).ok());
  SocketClient third(address);
  ASSERT_TRUE(RunUntil({&first, &second, &third}, [&] { return third.ended(); }));
  EXPECT_FALSE(first.ended());
  EXPECT_FALSE(second.ended());
  EXPECT_EQ(router->Counters().connections_refused, 2u);
  ASSERT_TRUE(router->Apply(RouterSettings()).ok());
  SocketClient last(address);
  EXPECT_TRUE(RunUntil({&first, &second, &last}, [&] { return last->opened(); }));
}

TEST(Router, RefusesSettingsAfterStopAndKeepsThoseItHas) {
  TestRouter router({.settings = {.max_connections = 7}});
  router->Stop();
  EXPECT_EQ(router->Apply(RouterSettings{.default_distribution = Distribution::kMulticast,
                                         .max_connections = 8}),
            absl::FailedPreconditionError("the router is stopped"));
  EXPECT_TRUE(router->settings() == RouterSettings{.max_connections = 7});
}

}  // namespace
}  // namespace trunkline::net::test
