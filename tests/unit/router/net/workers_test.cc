#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "tests/unit/router/net/router_fixture.h"

namespace trunkline::net::test {
namespace {

using ::testing::SizeIs;

// Message with one data section of up to 255 bytes, or a longer one.
std::string Message(const std::string& body) {
  if (body.size() < 256) {
    return std::string("\x00\x53\x75\xa0", 4) + static_cast<char>(body.size()) + body;
  }
  std::string message("\x00\x53\x75\xb0", 4);
  for (int shift = 24; shift >= 0; shift -= 8) {
    message += static_cast<char>(body.size() >> shift & 0xff);
  }
  return message + body;
}

// Connections come to the workers in turn, the first to the first: with two, a consumer and then a
// producer are on different ones.
TEST(Workers, CarryAMessageAndItsSettlementAcross) {
  TestRouter router({.workers = 2});
  const std::string address = router.Listen();
  SocketClient consumer(address);
  const auto in = consumer->Receiver("orders");
  ASSERT_TRUE(RunUntil({&consumer}, [&] { return consumer->link(in).attached; }));
  SocketClient producer(address);
  const auto out = producer->Sender("orders");
  producer->Send(out, Message("hello"));
  ASSERT_TRUE(
      RunUntil({&consumer, &producer}, [&] { return !producer->link(out).outcomes.empty(); }));
  ASSERT_THAT(consumer->link(in).received, SizeIs(1));
  EXPECT_EQ(consumer->link(in).received[0].bytes, Message("hello"));
  EXPECT_EQ(producer->link(out).outcomes[0].outcome, amqp::OutcomeKind::kAccepted);
  const RouterCounters counters = router->Counters();
  EXPECT_EQ(counters.deliveries_in, 1u);
  EXPECT_EQ(counters.deliveries_out, 1u);
  EXPECT_EQ(counters.accepted, 1u);
  EXPECT_GE(counters.mails_received, 2u);
}

TEST(Workers, KeepTheOrderOfThousandsOfMessagesAcross) {
  constexpr size_t kMessages = 20'000;
  TestRouter router({.workers = 2});
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

TEST(Workers, StreamAMessageThatIsLargerThanAllBuffersAcross) {
  TestRouter router({.workers = 2});
  const std::string address = router.Listen();
  SocketClient consumer(address);
  SocketClient producer(address);
  const auto in = consumer->Receiver("orders");
  const auto out = producer->Sender("orders");
  const std::string message = Message(std::string(16u << 20, 'x'));
  producer->Send(out, message);
  ASSERT_TRUE(
      RunUntil({&consumer, &producer}, [&] { return !producer->link(out).outcomes.empty(); }));
  ASSERT_THAT(consumer->link(in).received, SizeIs(1));
  EXPECT_TRUE(consumer->link(in).received[0].bytes == message);
}

// Stopped at any moment, nothing is left of what workers hold of each other: mail in rings, payload
// of each other's blocks, returns. The pools and the leak checker look.
TEST(Workers, EndWithTrafficUnderWay) {
  for (const size_t rounds : {1, 20, 200}) {
    TestRouter router({.workers = 3});
    const std::string address = router.Listen();
    std::deque<SocketClient> clients;
    std::vector<SocketClient*> all;
    for (int i = 0; i < 6; ++i) all.push_back(&clients.emplace_back(address));
    std::vector<amqp::LinkIndex> links;
    for (int i = 0; i < 3; ++i) {
      links.push_back(clients[i]->Receiver("orders", 1000));
      clients[i]->link(links.back()).accepts = i > 0;
    }
    for (int i = 3; i < 6; ++i) {
      const auto out = clients[i]->Sender("orders");
      for (int n = 0; n < 2000; ++n) {
        clients[i]->Send(out, Message(std::string(n % 50 == 0 ? 70'000 : 64, 'x')), n % 3 == 0);
      }
    }
    ASSERT_TRUE(RunUntil(all, [&] { return router->Counters().deliveries_out > rounds; }));
    router->Stop();
  }
}

// --- the budget of memory

TEST(Workers, GiveNoCreditWhileTheMemoryBudgetIsUsedUp) {
  TestRouter router({.workers = 2, .settings = {.memory_budget_bytes = 2u << 20}});
  const std::string address = router.Listen();
  SocketClient stalled(address);
  SocketClient producer(address);
  const auto in = stalled->Receiver("stalled", 0);
  const auto out = producer->Sender("stalled");
  ASSERT_TRUE(RunUntil({&stalled, &producer}, [&] {
    return stalled->link(in).attached && producer->link(out).credit > 0;
  }));
  for (int i = 0; i < 100; ++i) producer->Send(out, Message(std::string(60'000, 'x')));
  ASSERT_TRUE(RunUntil({&stalled, &producer},
                       [&] { return router->Counters().memory_held_bytes > (2u << 20); }));
  // Nobody is given credit, not even who sends elsewhere on the other worker.
  SocketClient consumer(address);
  SocketClient other(address);
  const auto elsewhere = consumer->Receiver("elsewhere");
  const auto late = other->Sender("elsewhere");
  ASSERT_TRUE(RunUntil({&stalled, &producer, &consumer, &other}, [&] {
    return consumer->link(elsewhere).attached && other->link(late).attached;
  }));
  EXPECT_EQ(other->link(late).credit, 0u);
  // The stalled one goes, and with it what was held.
  stalled.HangUp();
  EXPECT_TRUE(
      RunUntil({&producer, &consumer, &other}, [&] { return other->link(late).credit > 0; }));
}

// Though nothing moves: the stalled consumer takes nothing, and nobody has credit.
TEST(Workers, GiveCreditAgainWhenTheMemoryBudgetIsRaised) {
  TestRouter router({.workers = 2, .settings = {.memory_budget_bytes = 2u << 20}});
  const std::string address = router.Listen();
  SocketClient stalled(address);
  SocketClient producer(address);
  const auto in = stalled->Receiver("stalled", 0);
  const auto out = producer->Sender("stalled");
  ASSERT_TRUE(RunUntil({&stalled, &producer}, [&] {
    return stalled->link(in).attached && producer->link(out).credit > 0;
  }));
  for (int i = 0; i < 100; ++i) producer->Send(out, Message(std::string(60'000, 'x')));
  ASSERT_TRUE(RunUntil({&stalled, &producer},
                       [&] { return router->Counters().memory_held_bytes > (2u << 20); }));
  SocketClient consumer(address);
  SocketClient other(address);
  const auto elsewhere = consumer->Receiver("elsewhere");
  const auto late = other->Sender("elsewhere");
  ASSERT_TRUE(RunUntil({&stalled, &producer, &consumer, &other}, [&] {
    return consumer->link(elsewhere).attached && other->link(late).attached;
  }));
  EXPECT_EQ(other->link(late).credit, 0u);
  ASSERT_TRUE(router->Apply(RouterSettings{.memory_budget_bytes = 64u << 20}).ok());
  EXPECT_EQ(router->Counters().memory_budget_bytes, 64u << 20);
  EXPECT_TRUE(RunUntil({&stalled, &producer, &consumer, &other},
                       [&] { return other->link(late).credit > 0; }));
}

}  // namespace
}  // namespace trunkline::net::test
