// Links through a driver: attach answers, refusals, detach, credit.

#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test_world.h"

namespace trunkline::conn::test {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

const std::string kMessage("\x00\x53\x75\xa0\x02hi", 7);

// One client, open.
struct Links {
  World world;
  Peer& peer = world.Connect();
  Client& client = *peer.client;

  ClientLink& Run(amqp::LinkIndex index) {
    world.Run();
    return client.link(index);
  }
  ClientLink& Attach(amqp::Attach attach) { return Run(client.Start(std::move(attach))); }
};

TEST(Link, AReceiverIsAnsweredWithWhatItAskedFor) {
  Links links;
  amqp::Attach attach = Client::ReceiverAttach("orders");
  attach.source.capabilities = {"queue"};
  attach.source.filter = std::string("\xc1\x01\x00", 3);
  attach.target.address = "mine";
  attach.snd_settle_mode = amqp::SenderSettleMode::kUnsettled;
  attach.rcv_settle_mode = amqp::ReceiverSettleMode::kFirst;
  const ClientLink& link = links.Attach(attach);
  ASSERT_TRUE(link.attached);
  EXPECT_EQ(link.attach.source, attach.source);
  EXPECT_EQ(link.attach.target, attach.target);
  EXPECT_EQ(link.attach.snd_settle_mode, amqp::SenderSettleMode::kUnsettled);
  EXPECT_EQ(link.attach.initial_delivery_count, 0u);
  EXPECT_FALSE(link.detached);
}

TEST(Link, ASenderIsAnsweredAndToldTheLargestMessage) {
  World world;
  DriverOptions options = World::Accepting();
  options.info.max_message_size = 1000;
  Peer& peer = world.Connect({}, options);
  const amqp::LinkIndex sender = peer.client->Sender("orders");
  world.Run();
  const ClientLink& link = peer.client->link(sender);
  ASSERT_TRUE(link.attached);
  EXPECT_EQ(link.attach.target.address, "orders");
  EXPECT_EQ(link.attach.max_message_size, 1000u);
}

TEST(Link, ADynamicReceiverIsToldItsAddress) {
  Links links;
  amqp::Attach attach = Client::ReceiverAttach(std::nullopt);
  attach.source.dynamic = true;
  const ClientLink& link = links.Attach(attach);
  ASSERT_TRUE(link.attach.source.address.has_value());
  EXPECT_THAT(*link.attach.source.address, StartsWith("amqp:/_topo/0/R/temp."));
}

TEST(Link, ASenderGetsCreditWhenThereIsAConsumer) {
  Links links;
  const amqp::LinkIndex sender = links.client.Sender("orders");
  EXPECT_EQ(links.Run(sender).credit, 0u);
  links.client.Receiver("orders");
  EXPECT_EQ(links.Run(sender).credit, 250u);
}

TEST(Link, AnAnonymousSenderGetsCreditAtOnce) {
  Links links;
  EXPECT_EQ(links.Run(links.client.Sender(std::nullopt)).credit, 250u);
}

TEST(Link, ANullTargetIsTheAnonymousRelay) {
  Links links;
  amqp::Attach attach = Client::SenderAttach(std::nullopt);
  attach.target = {};
  const ClientLink& link = links.Attach(attach);
  EXPECT_TRUE(link.attach.target.present);
  EXPECT_EQ(link.credit, 250u);
}

// --- links that are disabled

// Of the first producer.
const core::Connection& ConnectionOf(core::Shard& shard) {
  const core::Connection* connection = nullptr;
  shard.WalkInLinks(0, 1, [&](const core::InLink& link) { connection = link.connection; });
  return *connection;
}

// The numbers of all links.
std::vector<uint64_t> Numbers(core::Shard& shard) {
  std::vector<uint64_t> numbers;
  const auto add = [&](const auto& link) { numbers.push_back(link.number); };
  shard.WalkInLinks(0, 100, add);
  shard.WalkOutLinks(0, 100, add);
  return numbers;
}

TEST(DisabledLink, OfAProducerHasNoCreditUntilItIsEnabled) {
  Links links;
  const amqp::LinkIndex receiver = links.client.Receiver("orders");
  const amqp::LinkIndex sender = links.client.Sender("orders");
  links.world.Run();
  ASSERT_EQ(links.client.link(sender).credit, 250u);
  core::Shard& shard = links.world.shard();
  const std::vector<uint64_t> numbers = Numbers(shard);
  ASSERT_THAT(numbers, SizeIs(2));
  // These are on their way when the credit is taken back.
  for (int i = 0; i < 10; ++i) links.client.Send(sender, kMessage);
  shard.DisableLink(ConnectionOf(shard), numbers[0]);
  links.world.Run();
  EXPECT_FALSE(links.client.link(sender).detached);
  EXPECT_EQ(links.client.link(sender).credit, 0u);
  const size_t taken = links.client.link(receiver).received.size();
  EXPECT_THAT(links.client.link(sender).outcomes, SizeIs(taken));
  for (int i = 0; i < 10; ++i) links.client.Send(sender, kMessage);
  links.world.Run();
  EXPECT_THAT(links.client.link(receiver).received, SizeIs(taken));
  shard.EnableLink(ConnectionOf(shard), numbers[0]);
  links.world.Run();
  EXPECT_THAT(links.client.link(receiver).received, SizeIs(20));
  EXPECT_THAT(links.client.link(sender).outcomes, SizeIs(20));
  EXPECT_GT(links.client.link(sender).credit, 100u);
}

TEST(DisabledLink, OfAConsumerGetsNothingAndAnswersADrain) {
  Links links;
  const amqp::LinkIndex receiver = links.client.Receiver("orders", 5);
  const amqp::LinkIndex sender = links.client.Sender("orders");
  links.world.Run();
  core::Shard& shard = links.world.shard();
  const uint64_t number = Numbers(shard)[1];
  shard.DisableLink(ConnectionOf(shard), number);
  for (int i = 0; i < 3; ++i) links.client.Send(sender, kMessage);
  links.world.Run();
  EXPECT_THAT(links.client.link(receiver).received, IsEmpty());
  EXPECT_THAT(links.client.link(sender).outcomes, IsEmpty());
  links.client.engine().Drain(receiver);
  links.world.Run();
  EXPECT_EQ(links.client.engine().Credit(receiver), 0u);
  EXPECT_THAT(links.client.link(receiver).received, IsEmpty());
  shard.EnableLink(ConnectionOf(shard), number);
  links.world.Run();
  EXPECT_THAT(links.client.link(receiver).received, IsEmpty()) << "its credit was used up";
  links.client.engine().Grant(receiver, 5);
  links.world.Run();
  EXPECT_THAT(links.client.link(receiver).received, SizeIs(3));
  EXPECT_THAT(links.client.link(sender).outcomes, SizeIs(3));
}

// --- refusals

TEST(Refusal, OfAReceiverWithoutAnAddress) {
  Links links;
  const ClientLink& link = links.Attach(Client::ReceiverAttach(std::nullopt));
  EXPECT_TRUE(link.attached);
  EXPECT_FALSE(link.attach.source.present);
  EXPECT_TRUE(link.attach.target.present);
  EXPECT_TRUE(link.detached);
  EXPECT_TRUE(link.closed);
  EXPECT_EQ(link.error.name, "qd:no-route-to-dest");
  EXPECT_EQ(link.error.description, "No route to the destination node");
}

TEST(Refusal, OfACoordinator) {
  Links links;
  amqp::Attach attach = Client::SenderAttach(std::nullopt);
  attach.target.coordinator = true;
  const ClientLink& link = links.Attach(attach);
  EXPECT_TRUE(link.attached);
  EXPECT_FALSE(link.attach.target.present);
  EXPECT_TRUE(link.closed);
  EXPECT_EQ(link.error.name, "amqp:precondition-failed");
  EXPECT_EQ(link.error.description,
            "The router can't coordinate transactions by itself, a linkRoute to a coordinator must "
            "be configured to use transactions.");
}

TEST(Refusal, LeavesTheConnectionAndItsLinksAlone) {
  Links links;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(links.Attach(Client::ReceiverAttach(std::nullopt)).detached);
  }
  EXPECT_EQ(links.peer.driver->phase(), Phase::kOpen);
  links.client.Receiver("orders");
  EXPECT_EQ(links.Run(links.client.Sender("orders")).credit, 250u);
}

// --- detach

TEST(Detach, IsMirrored) {
  Links links;
  for (const bool closed : {false, true}) {
    const amqp::LinkIndex receiver = links.client.Receiver("orders");
    const amqp::LinkIndex sender = links.client.Sender("orders");
    links.world.Run();
    links.client.engine().Detach(receiver, closed);
    links.client.engine().Detach(sender, closed);
    links.world.Run();
    EXPECT_EQ(links.peer.driver->phase(), Phase::kOpen);
    EXPECT_EQ(links.world.shard().stats().links_in.Get(), 0);
    EXPECT_EQ(links.world.shard().stats().links_out.Get(), 0);
  }
}

TEST(Detach, BeforeTheAnswerLeavesNothing) {
  Links links;
  links.world.Run();
  const amqp::LinkIndex receiver = links.client.Receiver("orders");
  links.client.engine().Detach(receiver, true);
  links.world.Run();
  EXPECT_EQ(links.world.shard().stats().links_out.Get(), 0);
  EXPECT_EQ(links.peer.driver->phase(), Phase::kOpen);
  EXPECT_TRUE(links.Run(links.client.Receiver("orders")).attached);
}

TEST(Detach, ByTheEndOfTheSession) {
  Links links;
  const amqp::LinkIndex receiver = links.client.Receiver("orders");
  links.world.Run();
  links.client.engine().EndSession(links.client.engine().SessionOf(receiver));
  links.world.Run();
  EXPECT_EQ(links.world.shard().stats().links_out.Get(), 0);
  EXPECT_EQ(links.peer.driver->phase(), Phase::kOpen);
}

TEST(Detach, ManyTimesOverUsesTheSameMemory) {
  Links links;
  links.world.Run();
  for (int i = 0; i < 1000; ++i) {
    const amqp::LinkIndex receiver = links.client.Receiver("orders");
    links.world.Run();
    ASSERT_TRUE(links.client.link(receiver).attached);
    links.client.engine().Detach(receiver, true);
    links.world.Run();
    EXPECT_LT(receiver, 4u);
  }
}

// --- the end of credit

TEST(Quiesce, GivesNoMoreCredit) {
  Links links;
  links.client.Receiver("orders", 1000);
  const amqp::LinkIndex sender = links.client.Sender("orders");
  links.world.Run();
  links.peer.driver->Quiesce();
  for (int i = 0; i < 300; ++i) links.client.Send(sender, kMessage);
  EXPECT_THAT(links.Run(sender).outcomes, SizeIs(250));
  EXPECT_EQ(links.Run(links.client.Sender("orders")).credit, 0u);
}

// --- drain

TEST(Drain, IsAnsweredByAReceiversRouter) {
  Links links;
  const amqp::LinkIndex receiver = links.client.Receiver("orders", 10);
  links.world.Run();
  links.client.engine().Drain(receiver);
  const ClientLink& link = links.Run(receiver);
  EXPECT_EQ(link.credit, 0u);
  EXPECT_THAT(link.received, IsEmpty());
}

TEST(Drain, IsAskedOfASenderWhoseConsumersAreGone) {
  Links links;
  const amqp::LinkIndex receiver = links.client.Receiver("orders");
  const amqp::LinkIndex sender = links.client.Sender("orders");
  links.world.Run();
  links.client.engine().Detach(receiver, true);
  links.world.Run();
  links.client.Send(sender, kMessage);
  const ClientLink& link = links.Run(sender);
  ASSERT_THAT(link.outcomes, SizeIs(1));
  EXPECT_EQ(link.outcomes[0].outcome, amqp::OutcomeKind::kReleased);
  EXPECT_TRUE(link.drain);
}

}  // namespace
}  // namespace trunkline::conn::test
