#include "router/core/credit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::ElementsAre;
using testing::SizeIs;

TEST(CreditDue, IsAllThatIsOwedWhenThereIsSomebody) {
  Route route;
  route.local_count = 1;
  InLink link;
  link.owed = 7;
  EXPECT_EQ(CreditDue(link, {.held_max = 10}), 0u) << "no destination";
  link.destination.normal = &route;
  EXPECT_EQ(CreditDue(link, {.held_max = 10}), 7u);
  link.destination = {.normal = nullptr, .fallback = &route};
  EXPECT_EQ(CreditDue(link, {.held_max = 10}), 7u);
  route.local_count = 0;
  EXPECT_EQ(CreditDue(link, {.held_max = 10}), 0u) << "a route to nobody";
}

TEST(CreditDue, IsNeverRefusedToWhoNeedsNoDestination) {
  InLink anonymous;
  anonymous.owed = 1;
  anonymous.granting = Granting::kAlways;
  EXPECT_EQ(CreditDue(anonymous, {.held_max = 10}), 1u);
}

TEST(CreditDue, IsNeverPaidToWhoIsDisabled) {
  Route route;
  route.local_count = 1;
  InLink link;
  link.owed = 1;
  link.destination.normal = &route;
  link.granting = Granting::kNever;
  EXPECT_EQ(CreditDue(link, {.held_max = 10}), 0u);
}

TEST(CreditDue, StopsAboveTheBudgetAndWhenTheRouterStops) {
  InLink link;
  link.owed = 3;
  link.granting = Granting::kAlways;
  link.held = 10;
  EXPECT_EQ(CreditDue(link, {.held_max = 10}), 3u);
  link.held = 11;
  EXPECT_EQ(CreditDue(link, {.held_max = 10}), 0u);
  link.held = 0;
  EXPECT_EQ(CreditDue(link, {.held_max = 10, .quiesced = true}), 0u);
}

TEST(Credit, IsGivenAtAttachWhenAConsumerIsThere) {
  World world;
  Peer& peer = world.Connect();
  world.Receiver(peer, "orders");
  EXPECT_EQ(world.Sender(peer, "orders").record().granted, 250u);
}

TEST(Credit, IsAsMuchAsTheConnectionSays) {
  World world;
  Peer& peer = world.Connect({.link_capacity = 10});
  world.Receiver(peer, "orders");
  EXPECT_EQ(world.Sender(peer, "orders").record().granted, 10u);
}

TEST(Credit, ComesWithTheFirstConsumer) {
  World world;
  Peer& peer = world.Connect();
  Producer one = world.Sender(peer, "orders");
  Producer two = world.Sender(peer, "orders");
  Producer other = world.Sender(peer, "other");
  EXPECT_EQ(one.record().granted, 0u);
  world.Receiver(peer, "orders");
  EXPECT_EQ(one.record().granted, 250u);
  EXPECT_EQ(two.record().granted, 250u);
  EXPECT_EQ(other.record().granted, 0u);
  world.Receiver(peer, "orders");
  EXPECT_EQ(one.record().granted, 250u) << "a second consumer changes nothing";
}

TEST(Credit, IsGivenToAnonymousProducersAtOnce) {
  World world;
  Peer& peer = world.Connect();
  EXPECT_EQ(world.Sender(peer, AttachRequest{}).record().granted, 250u);
}

TEST(Credit, ComesBackWithEachSettlement) {
  World world;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  for (int i = 0; i < 5; ++i) producer.Send(Body("m"));
  world.Turn();
  EXPECT_EQ(producer.record().credit, 245u);
  consumer.Settle(consumer.got()[0], OutcomeKind::kAccepted);
  EXPECT_EQ(producer.record().credit, 246u);
  consumer.AcceptAll();
  EXPECT_EQ(producer.record().credit, 250u);
}

TEST(Credit, ComesBackAtOnceForPresettledDeliveries) {
  World world;
  Peer& peer = world.Connect();
  world.Receiver(peer, "orders", 0);
  Producer producer = world.Sender(peer, "orders");
  for (int i = 0; i < 5; ++i) producer.Send(Body("m"), {.settled = true});
  EXPECT_EQ(producer.record().credit, 250u);
}

TEST(Credit, StaysWhenTheLastConsumerLeaves) {
  World world;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  consumer.Detach();
  world.Turn();
  EXPECT_EQ(producer.record().credit, 250u);
  EXPECT_EQ(producer.record().drains, 0);
  EXPECT_THAT(producer.record().told, SizeIs(0));
}

TEST(Credit, IsOwedForWhatFoundNobody) {
  World world;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  consumer.Detach();
  world.Turn();
  producer.Send(Body("1"));
  producer.Send(Body("2"));
  producer.Send(Body("3"), {.settled = true});
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kReleased, OutcomeKind::kReleased));
  EXPECT_EQ(producer.record().drains, 1) << "once is enough";
  EXPECT_EQ(producer.record().credit, 247u);
  EXPECT_EQ(world.shard->stats().dropped_presettled.Get(), 1u);

  world.Receiver(peer, "orders");
  EXPECT_EQ(producer.record().credit, 250u);
  EXPECT_EQ(world.shard->unsettled(), 0u);
}

TEST(Credit, ThatADrainGaveBackIsOwedToo) {
  World world;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  consumer.Detach();
  world.Turn();
  producer.Send(Body("1"));
  producer.record().credit = 0;
  world.shard->OnProducerFlow(producer.link, 0);
  EXPECT_EQ(producer.record().credit, 0u);
  world.Receiver(peer, "orders");
  EXPECT_EQ(producer.record().credit, 250u);
  EXPECT_EQ(producer.record().drains, 1);
}

TEST(Credit, IsGivenAgainAtOnceWhenADrainEndsAfterAConsumerCame) {
  World world;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  consumer.Detach();
  world.Turn();
  producer.Send(Body("1"));
  world.Receiver(peer, "orders");
  producer.record().credit = 1;  // the drain crossed the new credit
  world.shard->OnProducerFlow(producer.link, 1);
  EXPECT_EQ(producer.record().credit, 250u);
  world.shard->OnProducerFlow(producer.link, 1000);
  EXPECT_EQ(producer.record().credit, 250u) << "more than it has is no word to go by";
}

TEST(Credit, DrainsAgainWhenTheNextConsumerLeavesToo) {
  World world;
  Peer& peer = world.Connect();
  Producer producer = world.Sender(peer, "orders");
  for (int i = 1; i <= 3; ++i) {
    Consumer consumer = world.Receiver(peer, "orders");
    consumer.Detach();
    world.Turn();
    producer.Send(Body("m"));
    EXPECT_EQ(producer.record().drains, i);
  }
}

TEST(Credit, IsReplacedForAnonymousProducersWhoeverIsThere) {
  World world;
  Peer& peer = world.Connect();
  Producer producer = world.Sender(peer, AttachRequest{});
  for (int i = 0; i < 3; ++i) producer.Send(Body("no address"));
  EXPECT_THAT(producer.Outcomes(), SizeIs(3));
  EXPECT_EQ(producer.record().credit, 250u);
  EXPECT_EQ(producer.record().drains, 0);
}

TEST(Credit, StopsAboveTheByteBudgetAndComesBackBelow) {
  World world({.link_budget_bytes = 1000});
  Peer& peer = world.Connect({.link_capacity = 5});
  Consumer consumer = world.Receiver(peer, "orders", 0);
  Producer producer = world.Sender(peer, "orders");
  const std::string body = Body(std::string(592, 'x'));
  ASSERT_EQ(body.size(), 600u);
  producer.Send(body, {.settled = true});
  EXPECT_EQ(producer.record().credit, 5u);
  producer.Send(body, {.settled = true});
  EXPECT_EQ(producer.record().credit, 4u) << "1,200 bytes are held";
  producer.Send(body, {.settled = true});
  EXPECT_EQ(producer.record().credit, 3u);
  consumer.Flow(1);
  world.Turn();
  EXPECT_EQ(producer.record().credit, 3u) << "1,200 again";
  consumer.Flow(1);
  world.Turn();
  EXPECT_EQ(producer.record().credit, 5u);
}

TEST(Credit, IsNotGivenAnyMoreWhenTheRouterStops) {
  World world;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  Producer waiting = world.Sender(peer, "later");
  producer.Send(Body("a"));
  world.Turn();
  world.shard->Quiesce();
  EXPECT_EQ(world.shard->unsettled(), 1u);
  consumer.AcceptAll();
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kAccepted));
  EXPECT_EQ(producer.record().credit, 249u);
  world.Receiver(peer, "later");
  EXPECT_EQ(waiting.record().granted, 0u);
  EXPECT_EQ(world.Sender(peer, "orders").record().granted, 0u);
  EXPECT_EQ(world.Sender(peer, AttachRequest{}).record().granted, 0u);
  EXPECT_EQ(world.shard->unsettled(), 0u);
}

TEST(Credit, OfManyRoundsNeverGrowsOrShrinks) {
  World world;
  Peer& peer = world.Connect({.link_capacity = 10});
  Producer producer = world.Sender(peer, "orders");
  for (int round = 0; round < 50; ++round) {
    Consumer consumer = world.Receiver(peer, "orders", 4);
    EXPECT_EQ(producer.record().credit, 10u);
    for (int i = 0; i < 8; ++i) producer.Send(Body("m"), {.settled = i % 3 == 0});
    world.Turn();
    if (round % 2 == 0) consumer.AcceptAll();
    consumer.Detach();
    world.Turn();
    producer.Send(Body("nobody"));
  }
}

}  // namespace
}  // namespace trunkline::core
