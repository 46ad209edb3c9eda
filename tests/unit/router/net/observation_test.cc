#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/router/net/router_fixture.h"

// What Router::Observe tells of real connections, and how single ones are ended.
namespace trunkline::net::test {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

// Message of one data section of up to 255 bytes.
std::string Message(const std::string& body) {
  return std::string("\x00\x53\x75\xa0", 4) + static_cast<char>(body.size()) + body;
}

// Asks and waits for the answer.
Snapshot See(TestRouter& router, const std::vector<SocketClient*>& clients,
             const ObserveWish& wish) {
  const auto request = router->Observe(wish);
  EXPECT_TRUE(request.ok()) << request.status();
  if (!request.ok()) return {};
  std::shared_ptr<const Snapshot> seen;
  EXPECT_TRUE(RunUntil(clients, [&] {
    for (const Observed& answer : router.All<Observed>()) {
      if (answer.request == *request) seen = answer.snapshot;
    }
    return seen != nullptr;
  }));
  return seen == nullptr ? Snapshot() : *seen;
}

const ObserveWish kEverything{.connections = true, .peer_opens = true, .links = true};

class ObservationTest : public testing::TestWithParam<int> {
 protected:
  Snapshot See(const std::vector<SocketClient*>& clients, ObserveWish wish = kEverything) {
    return test::See(router_, clients, wish);
  }
  const LinkState* Link(const Snapshot& seen, bool incoming) {
    for (const LinkState& link : seen.links) {
      if (link.incoming == incoming) return &link;
    }
    return nullptr;
  }

  TestRouter router_{{.workers = GetParam()}};
  const std::string address_ = router_.Listen();
};
INSTANTIATE_TEST_SUITE_P(Workers, ObservationTest, testing::Values(1, 2));

TEST_P(ObservationTest, OfARouterWithNobodyIsEmpty) {
  const Snapshot seen = See({});
  EXPECT_THAT(seen.connections, IsEmpty());
  EXPECT_THAT(seen.links, IsEmpty());
}

TEST_P(ObservationTest, TellsWhoAConnectionIs) {
  SocketClient client(address_, {.sasl = true, .max_frame_size = 20'000});
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->opened(); }));
  const Snapshot seen = See({&client});
  ASSERT_THAT(seen.connections, SizeIs(1));
  const ConnectionState& state = seen.connections[0];
  const ConnectionUp up = *router_.Last<ConnectionUp>();
  EXPECT_EQ(state.id, up.id);
  EXPECT_EQ(state.phase, ConnectionState::Phase::kOpen);
  EXPECT_EQ(state.owner, "in");
  EXPECT_TRUE(state.inbound);
  EXPECT_EQ(state.peer, up.peer);
  EXPECT_EQ(state.local, address_);
  EXPECT_EQ(up.local, address_);
  EXPECT_EQ(state.container_id, up.container_id);
  EXPECT_FALSE(state.container_id.empty());
  EXPECT_EQ(state.mechanism, "ANONYMOUS");
  EXPECT_EQ(up.mechanism, "ANONYMOUS");
  EXPECT_EQ(state.user, up.user);
  EXPECT_EQ(state.tls, "");
  EXPECT_LE(state.begun, state.opened);
  EXPECT_EQ(state.opened, up.opened);
  EXPECT_NE(state.opened, kNever);
  EXPECT_GT(state.bytes_in, 0u);
  EXPECT_GT(state.bytes_out, 0u);
  EXPECT_GE(state.frames_in, 1u);
  EXPECT_GE(state.frames_out, 1u);
  EXPECT_GE(state.last_received, state.begun);
  ASSERT_NE(state.open, nullptr);
  EXPECT_EQ(state.open->max_frame_size, 20'000u);
}

TEST_P(ObservationTest, TellsOnlyWhatWasWished) {
  SocketClient client(address_);
  const auto link = client->Sender("orders");
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->link(link).attached; }));
  const Snapshot connections = See({&client}, {.connections = true});
  ASSERT_THAT(connections.connections, SizeIs(1));
  EXPECT_EQ(connections.connections[0].open, nullptr);
  EXPECT_THAT(connections.links, IsEmpty());
  const Snapshot links = See({&client}, {.links = true});
  EXPECT_THAT(links.connections, IsEmpty());
  EXPECT_THAT(links.links, SizeIs(1));
}

TEST_P(ObservationTest, CountsSessionsAndLinks) {
  SocketClient client(address_);
  const auto in = client->Receiver("orders");
  const auto out = client->Sender("orders");
  client->Sender("orders");
  client->Begin();
  ASSERT_TRUE(RunUntil({&client},
                       [&] { return client->link(in).attached && client->link(out).credit > 0; }));
  const Snapshot seen = See({&client});
  ASSERT_THAT(seen.connections, SizeIs(1));
  EXPECT_EQ(seen.connections[0].sessions, 2u);
  EXPECT_EQ(seen.connections[0].links_in, 2u);
  EXPECT_EQ(seen.connections[0].links_out, 1u);
  EXPECT_THAT(seen.links, SizeIs(3));
}

TEST_P(ObservationTest, CountsWhatWasSentAndSettled) {
  SocketClient consumer(address_);
  const auto in = consumer->Receiver("orders", 1000);
  ASSERT_TRUE(RunUntil({&consumer}, [&] { return consumer->link(in).attached; }));
  SocketClient producer(address_);
  const auto out = producer->Sender("orders");
  for (int i = 0; i < 300; ++i) producer->Send(out, Message("hello"));
  for (int i = 0; i < 20; ++i) producer->Send(out, Message("hello"), true);
  ASSERT_TRUE(RunUntil({&consumer, &producer}, [&] {
    return producer->link(out).outcomes.size() == 300 && consumer->link(in).received.size() == 320;
  }));
  const Snapshot seen = See({&consumer, &producer});
  const LinkState* from = Link(seen, true);
  const LinkState* to = Link(seen, false);
  ASSERT_NE(from, nullptr);
  ASSERT_NE(to, nullptr);
  for (const LinkState* link : {from, to}) {
    EXPECT_EQ(link->address, "orders");
    EXPECT_EQ(link->key, "M0orders");
    EXPECT_EQ(link->deliveries, 320u);
    EXPECT_EQ(link->presettled, 20u);
    EXPECT_EQ(link->accepted, 300u);
    EXPECT_EQ(link->rejected + link->released + link->modified, 0u);
    EXPECT_EQ(link->unsettled, 0u);
    EXPECT_EQ(link->undelivered, 0u);
    EXPECT_FALSE(link->name.empty());
  }
  EXPECT_EQ(from->capacity, 250u);
  EXPECT_GT(from->credit, 0u);
  EXPECT_EQ(from->no_credit_since, kNever);
  EXPECT_NE(from->connection, to->connection);
  EXPECT_NE(from->number, to->number);
}

TEST_P(ObservationTest, ShowsAConsumerWithoutCreditAndWhatWaitsForIt) {
  SocketClient consumer(address_);
  const auto in = consumer->Receiver("orders", 0);
  ASSERT_TRUE(RunUntil({&consumer}, [&] { return consumer->link(in).attached; }));
  SocketClient producer(address_);
  const auto out = producer->Sender("orders");
  ASSERT_TRUE(RunUntil({&producer}, [&] { return producer->link(out).credit > 0; }));
  for (int i = 0; i < 5; ++i) producer->Send(out, Message("hello"));
  ASSERT_TRUE(RunUntil({&producer}, [&] { return router_->Metrics().undelivered == 5; }));
  const Snapshot seen = See({&consumer, &producer});
  const LinkState* to = Link(seen, false);
  ASSERT_NE(to, nullptr);
  EXPECT_EQ(to->credit, 0u);
  EXPECT_NE(to->no_credit_since, kNever);
  EXPECT_EQ(to->undelivered, 5u);
  EXPECT_EQ(to->waiting, LinkState::Waiting::kCredit);
  EXPECT_EQ(to->deliveries, 0u);
  const LinkState* from = Link(seen, true);
  ASSERT_NE(from, nullptr);
  EXPECT_EQ(from->unsettled, 5u);
  EXPECT_GT(from->held_bytes, 0u);
}

// Its session's window closes first; a stream that is full is shown by integration tests.
TEST_P(ObservationTest, ShowsAConsumerWhoseConnectionTakesNoMore) {
  SocketClient consumer(address_);
  const auto in = consumer->Receiver("orders", 100'000);
  ASSERT_TRUE(RunUntil({&consumer}, [&] { return consumer->link(in).attached; }));
  SocketClient producer(address_);
  const auto out = producer->Sender("orders");
  const std::string message = std::string("\x00\x53\x75\xb0\x00\x01\x00\x00", 8);
  for (int i = 0; i < 100; ++i) producer->Send(out, message + std::string(65536, 'x'));
  Snapshot seen;
  ASSERT_TRUE(RunUntil({&producer}, [&] {
    seen = See({&producer});
    const LinkState* to = Link(seen, false);
    return to != nullptr && to->waiting == LinkState::Waiting::kConnection;
  }));
  const LinkState* to = Link(seen, false);
  ASSERT_NE(to, nullptr);
  EXPECT_GT(to->undelivered, 0u);
  EXPECT_GT(to->credit, 0u);
}

TEST_P(ObservationTest, OfOneConnectionHasNoOther) {
  SocketClient first(address_);
  SocketClient second(address_);
  first->Sender("a");
  const auto link = second->Sender("b");
  ASSERT_TRUE(RunUntil({&first, &second}, [&] {
    return second->link(link).attached && router_.All<ConnectionUp>().size() == 2;
  }));
  const Snapshot all = See({&first, &second});
  ASSERT_THAT(all.connections, SizeIs(2));
  for (const ConnectionState& one : all.connections) {
    ObserveWish wish = kEverything;
    wish.connection = one.id;
    const Snapshot seen = See({&first, &second}, wish);
    ASSERT_THAT(seen.connections, SizeIs(1));
    EXPECT_EQ(seen.connections[0].peer, one.peer);
    for (const LinkState& its : seen.links) EXPECT_EQ(its.connection, one.id);
  }
  ObserveWish nobody = kEverything;
  nobody.connection = 4711;
  EXPECT_THAT(See({&first}, nobody).connections, IsEmpty());
}

TEST_P(ObservationTest, OfOneAddressHasNoOther) {
  SocketClient client(address_);
  client->Sender("a");
  const auto link = client->Sender("b");
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->link(link).attached; }));
  const Snapshot seen = See({&client}, {.links = true, .keys = {"M0b"}});
  ASSERT_THAT(seen.links, SizeIs(1));
  EXPECT_EQ(seen.links[0].address, "b");
}

// Many turns of several workers.
TEST_P(ObservationTest, SeesEachOfThousandsOfLinksOnce) {
  constexpr size_t kClients = 4;
  constexpr size_t kLinks = 500;
  std::deque<SocketClient> clients;
  std::vector<SocketClient*> all;
  for (size_t i = 0; i < kClients; ++i) all.push_back(&clients.emplace_back(address_));
  for (SocketClient* client : all) {
    for (size_t i = 0; i < kLinks; ++i) (*client)->Sender("orders/" + std::to_string(i));
  }
  ASSERT_TRUE(RunUntil(all, [&] { return router_->Counters().links_now == kClients * kLinks; }));
  const Snapshot seen = See(all);
  std::set<uint64_t> numbers;
  std::map<uint64_t, size_t> by_connection;
  for (const LinkState& link : seen.links) {
    numbers.insert(link.number);
    ++by_connection[link.connection];
  }
  EXPECT_THAT(seen.links, SizeIs(kClients * kLinks));
  EXPECT_THAT(numbers, SizeIs(kClients * kLinks));
  EXPECT_THAT(by_connection, SizeIs(kClients));
  for (const ConnectionState& one : seen.connections) {
    EXPECT_EQ(by_connection[one.id], one.links_in);
  }
}

TEST_P(ObservationTest, IsToldBehindWhatHappenedBefore) {
  std::deque<SocketClient> clients;
  std::vector<SocketClient*> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(&clients.emplace_back(address_));
    See(all, {.connections = true});
  }
  std::set<uint64_t> told;
  for (const RouterEvent& event : router_.Events()) {
    if (const auto* up = std::get_if<ConnectionUp>(&event)) told.insert(up->id);
    const auto* answer = std::get_if<Observed>(&event);
    if (answer == nullptr) continue;
    for (const ConnectionState& one : answer->snapshot->connections) {
      EXPECT_TRUE(one.phase != ConnectionState::Phase::kOpen || told.contains(one.id));
    }
  }
}

TEST_P(ObservationTest, HasALimitOfRequests) {
  for (size_t i = 0; i < Router::kObservationsMax; ++i) {
    ASSERT_TRUE(router_->Observe(kEverything).ok());
  }
  EXPECT_EQ(router_->Observe(kEverything).status().code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(
      RunUntil({}, [&] { return router_.All<Observed>().size() == Router::kObservationsMax; }));
  EXPECT_TRUE(router_->Observe(kEverything).ok());
}

TEST_P(ObservationTest, OfARouterThatIsStoppedIsRefused) {
  router_->Stop();
  EXPECT_EQ(router_->Observe(kEverything).status().code(), absl::StatusCode::kFailedPrecondition);
}

// --- ended by their numbers

TEST_P(ObservationTest, AConnectionIsClosed) {
  SocketClient client(address_);
  ASSERT_TRUE(RunUntil({&client}, [&] { return router_.Last<ConnectionUp>().has_value(); }));
  const uint64_t id = router_.Last<ConnectionUp>()->id;
  EXPECT_EQ(router_->CloseConnection(id + 1, "bye").code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(router_->CloseConnection(id, "bye").ok());
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->closed(); }));
  EXPECT_EQ(client->close_error().name, "amqp:connection:forced");
  EXPECT_EQ(client->close_error().description, "bye");
}

// Whoever traces one waits for its end.
TEST_P(ObservationTest, TheEndOfATracedConnectionIsToldThoughItNeverOpened) {
  const SocketClient untraced(address_);  // nobody pumps them: they say nothing
  const SocketClient traced(address_);
  Snapshot seen;
  ASSERT_TRUE(RunUntil({}, [&] { return (seen = See({})).connections.size() == 2; }));
  const uint64_t first = seen.connections[0].id;
  const uint64_t second = seen.connections[1].id;
  ASSERT_TRUE(router_->OpenFrameTrace({.connection = second}).ok());
  ASSERT_TRUE(router_->CloseConnection(first, "bye").ok());
  ASSERT_TRUE(RunUntil({}, [&] { return !router_->IsThere(first); }));
  ASSERT_TRUE(router_->CloseConnection(second, "bye").ok());
  ASSERT_TRUE(RunUntil({}, [&] { return !router_->IsThere(second); }));
  const std::vector<ConnectionDown> down = router_.All<ConnectionDown>();
  ASSERT_THAT(down, SizeIs(1)) << "only who looks has to know";
  EXPECT_EQ(down[0].id, second);
  EXPECT_FALSE(down[0].was_open);
}

TEST_P(ObservationTest, ALinkIsDetachedAndTheOthersStay) {
  SocketClient client(address_);
  const auto in = client->Receiver("orders");
  const auto out = client->Sender("orders");
  ASSERT_TRUE(RunUntil({&client},
                       [&] { return client->link(in).attached && client->link(out).credit > 0; }));
  const Snapshot seen = See({&client});
  const LinkState* from = Link(seen, true);
  const LinkState* to = Link(seen, false);
  ASSERT_TRUE(router_->CloseLink(from->connection, from->number, "moved").ok());
  // What is asked later is seen without it.
  EXPECT_EQ(Link(See({&client}), true), nullptr);
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->link(out).detached; }));
  EXPECT_EQ(client->link(out).error.name, "amqp:link:detach-forced");
  EXPECT_EQ(client->link(out).error.description, "moved");
  EXPECT_FALSE(client->link(in).detached);
  ASSERT_TRUE(router_->CloseLink(to->connection, to->number, "moved too").ok());
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->link(in).detached; }));
  EXPECT_EQ(client->link(in).error.description, "moved too");
  EXPECT_FALSE(client->closed());
  // Once more is no error.
  EXPECT_TRUE(router_->CloseLink(to->connection, to->number, "again").ok());
  EXPECT_EQ(router_->CloseLink(4711, to->number, "").code(), absl::StatusCode::kNotFound);
}

TEST_P(ObservationTest, ALinkOfAnotherConnectionIsLeftAlone) {
  std::deque<SocketClient> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(address_);  // two of them have one worker
  std::vector<SocketClient*> all;
  for (SocketClient& client : clients) {
    client->Sender("orders");
    client->Receiver("orders");
    all.push_back(&client);
  }
  Snapshot seen;
  ASSERT_TRUE(RunUntil(all, [&] { return (seen = See(all)).links.size() == 6; }));
  for (const ConnectionState& one : seen.connections) {
    for (const LinkState& link : seen.links) {
      if (link.connection == one.id) continue;
      EXPECT_TRUE(router_->SwitchLink(one.id, link.number, LinkSwitch::kDisabled).ok());
      EXPECT_TRUE(router_->CloseLink(one.id, link.number, "moved").ok());
    }
  }
  seen = See(all);
  EXPECT_THAT(seen.links, SizeIs(6));
  for (const LinkState& link : seen.links) EXPECT_FALSE(link.disabled);
}

// --- switched off and on

TEST_P(ObservationTest, ALinkIsDisabledAndEnabled) {
  SocketClient client(address_);
  const auto in = client->Receiver("orders");
  const auto out = client->Sender("orders");
  ASSERT_TRUE(RunUntil({&client},
                       [&] { return client->link(in).attached && client->link(out).credit > 0; }));
  const Snapshot seen = See({&client});
  const LinkState from = *Link(seen, true);
  const LinkState to = *Link(seen, false);
  EXPECT_FALSE(from.disabled);
  ASSERT_TRUE(router_->SwitchLink(to.connection, to.number, LinkSwitch::kDisabled).ok());
  // What is asked later is seen as it is by then.
  const Snapshot off = See({&client});
  EXPECT_TRUE(Link(off, false)->disabled);
  EXPECT_FALSE(Link(off, true)->disabled);
  EXPECT_EQ(Link(off, false)->credit, 100u) << "it is kept";
  EXPECT_EQ(Link(off, false)->waiting, LinkState::Waiting::kNothing);
  client->Send(out, Message("hi"));
  ASSERT_TRUE(RunUntil({&client}, [&] { return Link(See({&client}), false)->undelivered == 1; }));
  EXPECT_EQ(Link(See({&client}), false)->waiting, LinkState::Waiting::kDisabled);
  ASSERT_TRUE(router_->SwitchLink(from.connection, from.number, LinkSwitch::kDisabled).ok());
  const Snapshot both_off = See({&client});
  EXPECT_TRUE(Link(both_off, true)->disabled);
  EXPECT_EQ(Link(both_off, true)->credit, 0u);
  EXPECT_NE(Link(both_off, true)->no_credit_since, kNever);
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->link(out).credit == 0; }));
  EXPECT_TRUE(client->link(in).received.empty());
  for (const LinkState& each : {from, to}) {
    ASSERT_TRUE(router_->SwitchLink(each.connection, each.number, LinkSwitch::kEnabled).ok());
  }
  ASSERT_TRUE(RunUntil({&client}, [&] {
    return client->link(in).received.size() == 1 && client->link(out).credit > 0;
  }));
  EXPECT_FALSE(Link(See({&client}), true)->disabled);
  // Of a link that is not there nothing is told.
  EXPECT_TRUE(router_->SwitchLink(to.connection, 4711, LinkSwitch::kDisabled).ok());
  EXPECT_EQ(router_->SwitchLink(4711, to.number, LinkSwitch::kDisabled).code(),
            absl::StatusCode::kNotFound);
}

// --- what addresses mean

TEST_P(ObservationTest, AnAddressIsResolvedAsTheRouterDoes) {
  EXPECT_EQ(router_->Resolve("orders").key, "M0orders");
  EXPECT_EQ(router_->Resolve("orders").distribution, Distribution::kBalanced);
  EXPECT_EQ(router_->Resolve("orders").setting, "");
  ASSERT_TRUE(router_
                  ->Apply(std::vector<AddressSpec>{
                      {.name = "news", .prefix = "news", .distribution = Distribution::kMulticast},
                      {.name = "jobs", .pattern = "jobs/*", .waypoint = true},
                      {.name = "safe", .prefix = "safe", .enable_fallback = true},
                      {.name = "off", .prefix = "off", .distribution = Distribution::kUnavailable}})
                  .ok());
  const AddressResolution news = router_->Resolve("amqp://host/news/today");
  EXPECT_EQ(news.key, "M0news/today");
  EXPECT_EQ(news.setting, "news");
  EXPECT_EQ(news.distribution, Distribution::kMulticast);
  const AddressResolution jobs = router_->Resolve("jobs.print");
  EXPECT_EQ(jobs.setting, "jobs");
  EXPECT_EQ(jobs.key, "M0jobs.print");
  EXPECT_EQ(jobs.consumer_key, "M1jobs.print");
  EXPECT_EQ(router_->Resolve("safe/a").fallback_key, "MFsafe/a");
  EXPECT_EQ(router_->Resolve("off").key, "");
  EXPECT_EQ(router_->Resolve("off").setting, "off");
  EXPECT_EQ(router_->Resolve("off").distribution, Distribution::kUnavailable);
  EXPECT_EQ(router_->Resolve("else").setting, "");
}

}  // namespace
}  // namespace trunkline::net::test
