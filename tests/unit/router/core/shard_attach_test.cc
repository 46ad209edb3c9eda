#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <variant>
#include <vector>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(ShardAttach, AnswersProducersAtOnce) {
  World world;
  Peer& peer = world.Connect();
  const Producer producer = world.Sender(peer, "orders");
  EXPECT_TRUE(producer.link);
  EXPECT_EQ(producer.record().answers, 1);
  EXPECT_FALSE(producer.record().answer.refused);
  EXPECT_EQ(producer.record().answer.address, std::nullopt) << "it knows its address";
}

TEST(ShardAttach, AnswersConsumersWhenTheyAreReachable) {
  World world;
  world.answer_consumers = false;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  EXPECT_EQ(consumer.record().answers, 0);
  ASSERT_THAT(world.notices, SizeIs(1));
  const ConsumerUp& up = std::get<ConsumerUp>(world.notices[0]);
  EXPECT_EQ(up.key, "M0orders");
  EXPECT_EQ(up.link, (OutLinkRef{.shard = 0, .link = consumer.link}));
  EXPECT_EQ(up.treatment, Treatment::kBalanced);
  world.shard->Accept(kFromPilot, LinkReady{.link = consumer.link});
  EXPECT_EQ(consumer.record().answers, 1);
  world.shard->Accept(kFromPilot, LinkReady{.link = consumer.link});
  EXPECT_EQ(consumer.record().answers, 1) << "once";
}

TEST(ShardAttach, SendsNothingBeforeTheAnswer) {
  World world;
  world.answer_consumers = false;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders", 5);
  Producer producer = world.Sender(peer, "orders");
  producer.Send(Body("early"));
  world.Turn();
  EXPECT_THAT(consumer.got(), IsEmpty());
  world.shard->Accept(kFromPilot, LinkReady{.link = consumer.link});
  world.Turn();
  EXPECT_THAT(consumer.Texts(), ElementsAre("early"));
}

TEST(ShardAttach, ForgetsAConsumerThatLeavesBeforeTheAnswer) {
  World world;
  Peer& peer = world.Connect();
  const Handle<OutLink> link = world.shard->AttachOut(peer.connection, {.address = "orders"});
  world.shard->DetachOut(link);
  world.Publish();
  EXPECT_EQ(peer.sink.links[0].answers, 0);
  ASSERT_THAT(world.notices, SizeIs(2));
  EXPECT_EQ(std::get<ConsumerDown>(world.notices[1]).key, "M0orders");
  EXPECT_EQ(world.Sender(peer, "orders").record().granted, 0u);
}

TEST(ShardAttach, RefusesWithAReasonAndNoHandle) {
  World world({.settings = {{.pattern = "gone/#", .treatment = Treatment::kUnavailable}}});
  Peer& peer = world.Connect();
  const Producer producer = world.Sender(peer, "gone/1");
  EXPECT_FALSE(producer.link);
  EXPECT_EQ(producer.record().answer.refused.name, "amqp:not-found");
  const Consumer consumer = world.Receiver(peer, "gone/1", 0);
  EXPECT_FALSE(consumer.link);
  EXPECT_EQ(consumer.record().answer.refused.description, "Node not found");
  const Consumer nowhere = world.Receiver(peer, AttachRequest{}, 0);
  EXPECT_EQ(nowhere.record().answer.refused.name, "qd:no-route-to-dest");
  const Producer coordinator = world.Sender(peer, AttachRequest{.coordinator = true});
  EXPECT_EQ(coordinator.record().answer.refused.name, "amqp:precondition-failed");
  EXPECT_THAT(world.notices, IsEmpty());
  EXPECT_EQ(world.shard->stats().links_in.Get(), 0);
}

TEST(ShardAttach, LetsThePilotRefuseAConsumer) {
  World world;
  world.answer_consumers = false;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  const amqp::Condition error{.name = "amqp:not-found", .description = "no", .info = {}};
  world.shard->Accept(kFromPilot, LinkRefused{.link = consumer.link, .error = error});
  EXPECT_EQ(consumer.record().answer.refused, error);
  EXPECT_THAT(consumer.record().detached, IsEmpty());
  world.shard->Accept(kFromPilot, LinkRefused{.link = consumer.link, .error = error});
  world.shard->Accept(kFromPilot, std::monostate());
  EXPECT_EQ(consumer.record().answers, 1);
}

TEST(ShardAttach, LetsThePilotDetachAConsumer) {
  World world;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  producer.Send(Body("m"));
  const amqp::Condition error{.name = "amqp:not-found", .description = "no", .info = {}};
  world.shard->Accept(kFromPilot, LinkRefused{.link = consumer.link, .error = error});
  EXPECT_THAT(consumer.record().detached, ElementsAre(error));
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kReleased));
  world.Turn();
  EXPECT_TRUE(std::holds_alternative<ConsumerDown>(world.notices.back()));
}

TEST(ShardAttach, AnswersRequestsOverADynamicAddress) {
  World world;
  Peer& client = world.Connect();
  Peer& server = world.Connect();
  Consumer replies = world.Receiver(client, AttachRequest{.dynamic = true});
  ASSERT_TRUE(replies.record().answer.address.has_value());
  Producer responder = world.Sender(server, *replies.record().answer.address);
  EXPECT_EQ(responder.record().credit, 250u);
  responder.Send(Body("reply"));
  world.Turn();
  EXPECT_THAT(replies.Texts(), ElementsAre("reply"));
  replies.Detach();
  world.Turn();
  responder.Send(Body("late"));
  EXPECT_THAT(responder.Outcomes().back(), OutcomeKind::kReleased);
}

TEST(ShardAttach, GivesAProducerADynamicTarget) {
  World world;
  Peer& peer = world.Connect();
  Producer producer = world.Sender(peer, AttachRequest{.dynamic = true});
  ASSERT_TRUE(producer.record().answer.address.has_value());
  EXPECT_EQ(producer.record().granted, 0u);
  Consumer consumer = world.Receiver(peer, *producer.record().answer.address);
  EXPECT_EQ(producer.record().granted, 250u);
  producer.Send(Body("m"));
  world.Turn();
  EXPECT_THAT(consumer.Texts(), ElementsAre("m"));
}

TEST(ShardAttach, PassesAMessageAlongWaypoints) {
  World world({.settings = {{.pattern = "way", .ingress_phase = '0', .egress_phase = '1'}}});
  Peer& peer = world.Connect();
  Consumer last = world.Receiver(peer, "way");
  Producer first = world.Sender(peer, "way");
  EXPECT_EQ(first.record().granted, 0u) << "nobody at phase 0";
  Consumer waypoint_in = world.Receiver(peer, {.address = "way", .waypoint_phase = 1});
  Producer waypoint_out = world.Sender(peer, {.address = "way", .waypoint_phase = 1});
  EXPECT_EQ(first.record().granted, 250u);
  first.Send(Body("m"));
  world.Turn();
  EXPECT_THAT(waypoint_in.Texts(), ElementsAre("m"));
  EXPECT_THAT(last.got(), IsEmpty());
  waypoint_out.Send(Body("m again"));
  world.Turn();
  EXPECT_THAT(last.Texts(), ElementsAre("m again"));
}

TEST(ShardAttach, IgnoresConnectionsThatAreGone) {
  World world;
  Peer& peer = world.Connect();
  world.Close(peer);
  world.Close(peer);
  EXPECT_FALSE(world.shard->AttachIn(peer.connection, {.address = "a"}));
  EXPECT_FALSE(world.shard->AttachOut(peer.connection, {.address = "a"}));
  world.shard->Resume(peer.connection);
  world.shard->DetachIn({});
  world.shard->DetachOut({});
  world.shard->OnFlow({}, 1, true);
  world.shard->OnProducerFlow({}, 1);
  EXPECT_FALSE(world.shard->Emit(Time{}));
}

TEST(ShardAttach, ForgetsNothingWhenMemoryIsTrimmed) {
  World world({.default_treatment = Treatment::kMulticast});
  Peer& crowd = world.Connect();
  std::vector<Consumer> consumers;
  for (int i = 0; i < 300; ++i) consumers.push_back(world.Receiver(crowd, "fan"));
  Peer& peer = world.Connect();
  Producer producer = world.Sender(peer, "fan");
  producer.Send(Body("1"));
  world.shard->Trim();
  world.Turn();
  for (int i = 0; i < 299; ++i) consumers[i].AcceptAll();
  world.shard->Trim();
  EXPECT_THAT(producer.record().told, IsEmpty());
  consumers[299].AcceptAll();
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kAccepted));
  const Got got = consumers[0].got()[0];
  world.Close(crowd);
  world.Publish();
  world.shard->Trim();
  consumers[0].Settle(got, OutcomeKind::kAccepted);
  Consumer late = world.Receiver(peer, "fan");
  producer.Send(Body("2"));
  world.Turn();
  EXPECT_THAT(late.Texts(), ElementsAre("2"));
}

TEST(ShardAttach, FindsItsProducersAgainWhateverTheOrderTheyLeaveIn) {
  World world;
  Peer& peer = world.Connect();
  Producer one = world.Sender(peer, "orders");
  Producer two = world.Sender(peer, "orders");
  Producer three = world.Sender(peer, "orders");
  two.Detach();
  one.Detach();
  world.Receiver(peer, "orders");
  EXPECT_EQ(one.record().granted, 0u);
  EXPECT_EQ(two.record().granted, 0u);
  EXPECT_EQ(three.record().granted, 250u);
  three.Detach();
  world.Receiver(peer, "orders");
}

}  // namespace
}  // namespace trunkline::core
