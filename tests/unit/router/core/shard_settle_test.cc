#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// One producer and one consumer, on connections of their own.
class ShardSettle : public testing::TestWithParam<size_t> {
 protected:
  ~ShardSettle() override { world_.CheckEnd(); }

  World world_{{.shards = GetParam()}};
  Peer& near_ = world_.Connect();
  Peer& far_ = world_.Connect({}, static_cast<ShardId>(GetParam() - 1));
  Consumer consumer_ = world_.Receiver(far_, "orders");
  Producer producer_ = world_.Sender(near_, "orders");
};

TEST_P(ShardSettle, PassesEveryOutcomeBack) {
  for (const OutcomeKind kind :
       {OutcomeKind::kAccepted, OutcomeKind::kRejected, OutcomeKind::kReleased}) {
    producer_.Send(Body("a"));
    world_.Turn();
    consumer_.Settle(consumer_.got().back(), kind);
  }
  EXPECT_THAT(producer_.Outcomes(),
              ElementsAre(OutcomeKind::kAccepted, OutcomeKind::kRejected, OutcomeKind::kReleased));
  EXPECT_EQ(world_.shard->stats().accepted.Get(), 1u);
  EXPECT_EQ(world_.shard->stats().rejected.Get(), 1u);
  EXPECT_EQ(world_.shard->stats().released.Get(), 1u);
  EXPECT_EQ(world_.Unsettled(), 0u);
}

TEST_P(ShardSettle, NamesTheDeliveryTheProducerKnows) {
  const uint32_t first = producer_.Send(Body("1"));
  const uint32_t second = producer_.Send(Body("2"));
  world_.Turn();
  consumer_.Settle(consumer_.got()[1], OutcomeKind::kAccepted);
  consumer_.Settle(consumer_.got()[0], OutcomeKind::kReleased);
  ASSERT_THAT(producer_.record().told, SizeIs(2));
  EXPECT_EQ(producer_.record().told[0].delivery, second);
  EXPECT_EQ(producer_.record().told[1].delivery, first);
}

TEST_P(ShardSettle, KeepsTheErrorOfARejection) {
  const amqp::Outcome rejected{
      .kind = OutcomeKind::kRejected,
      .raw = amqp::EncodeRejected({.name = "app:no", .description = "not today", .info = {}})};
  producer_.Send(Body("a"));
  world_.Turn();
  consumer_.Settle(consumer_.got()[0], rejected, true);
  ASSERT_THAT(producer_.record().told, SizeIs(1));
  EXPECT_EQ(producer_.record().told[0].raw, rejected.raw);
}

TEST_P(ShardSettle, SaysThatAModifiedDeliveryHasFailed) {
  producer_.Send(Body("a"));
  world_.Turn();
  // modified{delivery-failed: null, undeliverable-here: true}
  const std::string raw("\x00\x53\x27\xc0\x03\x02\x40\x41", 8);
  consumer_.Settle(consumer_.got()[0], {.kind = OutcomeKind::kModified, .raw = raw}, true);
  ASSERT_THAT(producer_.record().told, SizeIs(1));
  EXPECT_EQ(producer_.record().told[0].kind, OutcomeKind::kModified);
  EXPECT_EQ(producer_.record().told[0].raw, amqp::ModifiedDeliveryFailed(raw));
  EXPECT_NE(producer_.record().told[0].raw, raw);
}

TEST_P(ShardSettle, PassesATerminalStateBeforeItIsSettled) {
  producer_.Send(Body("a"));
  world_.Turn();
  const Got got = consumer_.got()[0];
  consumer_.Settle(got, OutcomeKind::kAccepted, false);
  ASSERT_THAT(producer_.record().told, SizeIs(1));
  EXPECT_EQ(producer_.record().told[0].kind, OutcomeKind::kAccepted);
  EXPECT_FALSE(producer_.record().told[0].settled);
  EXPECT_EQ(producer_.record().granted, 250u) << "credit comes with the settlement";

  producer_.Settle(producer_.user);
  ASSERT_THAT(consumer_.got()[0].from_producer, SizeIs(1));
  EXPECT_TRUE(consumer_.got()[0].from_producer[0].settled);
  EXPECT_EQ(producer_.record().granted, 251u);
  EXPECT_EQ(world_.Unsettled(), 0u);
  EXPECT_EQ(world_.shard->stats().accepted.Get(), 1u);
}

TEST_P(ShardSettle, LetsTheConsumerSettleAfterItsState) {
  producer_.Send(Body("a"));
  world_.Turn();
  consumer_.Settle(consumer_.got()[0], OutcomeKind::kAccepted, false);
  consumer_.Settle(consumer_.got()[0], OutcomeKind::kNone, true);
  ASSERT_THAT(producer_.record().told, SizeIs(2));
  EXPECT_TRUE(producer_.record().told[1].settled);
  EXPECT_EQ(world_.shard->stats().accepted.Get(), 1u);
  EXPECT_EQ(world_.Unsettled(), 0u);
}

TEST_P(ShardSettle, PassesReceivedBothWays) {
  producer_.Send(Body("a"));
  world_.Turn();
  const amqp::Outcome received{.kind = OutcomeKind::kReceived,
                               .raw = std::string("\x00\x53\x23\xc0\x03\x02\x43\x44", 8)};
  consumer_.Settle(consumer_.got()[0], received, false);
  ASSERT_THAT(producer_.record().told, SizeIs(1));
  EXPECT_EQ(producer_.record().told[0].kind, OutcomeKind::kReceived);
  EXPECT_EQ(producer_.record().told[0].raw, received.raw);
  EXPECT_FALSE(producer_.record().told[0].settled);

  near_.shard().OnProducerDisposition(producer_.user, received, false);
  world_.Carry();
  ASSERT_THAT(consumer_.got()[0].from_producer, SizeIs(1));
  EXPECT_EQ(consumer_.got()[0].from_producer[0].kind, OutcomeKind::kReceived);
  EXPECT_FALSE(consumer_.got()[0].from_producer[0].settled);
}

TEST_P(ShardSettle, KeepsTransactionsToItself) {
  producer_.Send(Body("a"));
  producer_.Send(Body("b"));
  world_.Turn();
  consumer_.Settle(consumer_.got()[0], {.kind = OutcomeKind::kTransactional, .raw = "x"}, false);
  EXPECT_THAT(producer_.record().told, IsEmpty());
  consumer_.Settle(consumer_.got()[0], {.kind = OutcomeKind::kTransactional, .raw = "x"}, true);
  consumer_.Settle(consumer_.got()[1], {.kind = OutcomeKind::kDeclared, .raw = "x"}, true);
  ASSERT_THAT(producer_.record().told, SizeIs(2));
  EXPECT_EQ(producer_.record().told[0].kind, OutcomeKind::kNone);
  EXPECT_EQ(producer_.record().told[1].kind, OutcomeKind::kRejected);
  EXPECT_EQ(producer_.record().told[1].raw, "");
}

TEST_P(ShardSettle, TellsNobodyTwice) {
  producer_.Send(Body("a"));
  world_.Turn();
  const Got got = consumer_.got()[0];
  consumer_.Settle(got, OutcomeKind::kAccepted);
  consumer_.Settle(got, OutcomeKind::kReleased);
  producer_.Settle(producer_.user);
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kAccepted));
  EXPECT_THAT(consumer_.got()[0].from_producer, IsEmpty());
}

TEST_P(ShardSettle, IgnoresNamesItNeverGave) {
  world_.shard->OnConsumerDisposition(0, {}, true);
  world_.shard->OnConsumerDisposition(UINT64_MAX, {}, true);
  world_.shard->OnProducerDisposition(0, {}, true);
  world_.shard->OnProducerDisposition(UINT64_MAX, {}, true);
  EXPECT_EQ(world_.shard->OnTransfer({}, {.first = true}), 0u);
  world_.shard->OnTransfer(producer_.link, {.user = 12345, .payload = world_.Memory("x")});
  EXPECT_EQ(world_.Unsettled(), 0u);
}

TEST_P(ShardSettle, IgnoresAnOutcomeForWhatWasNotSent) {
  world_.Receiver(far_, "slow", 0);
  Producer to_slow = world_.Sender(near_, "slow");
  to_slow.Send(Body("a"));
  world_.Turn();
  Handle<OutDelivery> guess{.index = 0, .generation = 1};
  world_.shard->OnConsumerDisposition(guess.Pack(), {.kind = OutcomeKind::kAccepted, .raw = {}},
                                      true);
  EXPECT_THAT(to_slow.record().told, IsEmpty());
}

TEST_P(ShardSettle, ReleasesWhatIsQueuedAndModifiesWhatWasSentWhenTheConsumerLeaves) {
  consumer_.Flow(3);
  for (int i = 0; i < 8; ++i) producer_.Send(Body("m"));
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(3));
  consumer_.Detach();
  const OutcomeKind modified = OutcomeKind::kModified;
  const OutcomeKind released = OutcomeKind::kReleased;
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(modified, modified, modified, released, released,
                                                released, released, released));
  EXPECT_EQ(producer_.record().told[0].raw, amqp::ModifiedDeliveryFailed(""));
  EXPECT_EQ(producer_.record().released, 8 * Body("m").size());
}

TEST_P(ShardSettle, DoesTheSameWhenTheConsumersConnectionGoes) {
  consumer_.Flow(1);
  producer_.Send(Body("m"));
  producer_.Send(Body("m"));
  world_.Turn();
  world_.Close(far_);
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kModified, OutcomeKind::kReleased));
}

TEST_P(ShardSettle, KeepsAnOutcomeThatTheConsumerGaveBeforeItLeft) {
  producer_.Send(Body("a"));
  world_.Turn();
  consumer_.Settle(consumer_.got()[0], OutcomeKind::kAccepted, false);
  consumer_.Detach();
  ASSERT_THAT(producer_.record().told, SizeIs(2));
  EXPECT_EQ(producer_.record().told[0].kind, OutcomeKind::kAccepted);
  EXPECT_EQ(producer_.record().told[1].kind, OutcomeKind::kNone);
  EXPECT_TRUE(producer_.record().told[1].settled);
}

TEST_P(ShardSettle, GoesOnWithoutTheProducerWhenTheMessageIsComplete) {
  consumer_.Flow(0);
  producer_.Send(Body("a"));
  producer_.Detach();
  EXPECT_EQ(producer_.record().released, Body("a").size()) << "its window is free again";
  EXPECT_EQ(world_.Unsettled(), 1u) << "a stop waits for it";
  consumer_.Flow(1);
  world_.Turn();
  EXPECT_THAT(consumer_.Texts(), ElementsAre("a"));
  consumer_.AcceptAll();
  EXPECT_THAT(producer_.record().told, IsEmpty());
  EXPECT_EQ(world_.Unsettled(), 0u);
}

TEST_P(ShardSettle, SaysNothingToAConnectionThatIsGone) {
  world_.Receiver(near_, "own", 1);
  Producer to_own = world_.Sender(near_, "own");
  to_own.Send(Body("1"));
  to_own.Send(Body("2"));
  to_own.Send(Body("3"), {.more = true});
  world_.Turn();
  const LinkRecord before = to_own.record();
  world_.Close(near_);
  EXPECT_EQ(to_own.record().told.size(), before.told.size());
  EXPECT_EQ(to_own.record().released, before.released);
  EXPECT_EQ(to_own.record().granted, before.granted);
}

TEST_P(ShardSettle, SettlesDownstreamWhenTheProducerDoesNotWait) {
  producer_.Send(Body("a"));
  world_.Turn();
  producer_.Settle(producer_.user, OutcomeKind::kAccepted);
  ASSERT_THAT(consumer_.got()[0].from_producer, SizeIs(1));
  EXPECT_TRUE(consumer_.got()[0].from_producer[0].settled);
  EXPECT_EQ(consumer_.got()[0].from_producer[0].kind, OutcomeKind::kAccepted);
  consumer_.AcceptAll();
  EXPECT_THAT(producer_.record().told, IsEmpty());
  EXPECT_EQ(producer_.record().granted, 251u);
}

TEST_P(ShardSettle, SendsSettledWhatTheProducerSettledWhileItWaited) {
  consumer_.Flow(0);
  producer_.Send(Body("a"));
  world_.Turn();
  producer_.Settle(producer_.user);
  consumer_.Flow(1);
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(1));
  EXPECT_TRUE(consumer_.got()[0].settled);
  EXPECT_EQ(world_.Unsettled(), 0u);
}

TEST_P(ShardSettle, CountsLevelsDownToNothing) {
  consumer_.Flow(2);
  for (int i = 0; i < 5; ++i) producer_.Send(Body("m"));
  world_.Turn();
  EXPECT_EQ(world_.Sum(&ShardStats::deliveries_in), 5);
  EXPECT_EQ(world_.Sum(&ShardStats::deliveries_out), 2);
  EXPECT_EQ(world_.Sum(&ShardStats::undelivered), 3);
  EXPECT_EQ(world_.Sum(&ShardStats::unsettled), 2);
  EXPECT_EQ(world_.Sum(&ShardStats::links_in), 1);
  EXPECT_EQ(world_.Sum(&ShardStats::links_out), 1);
  consumer_.Detach();
  producer_.Detach();
  EXPECT_EQ(world_.Sum(&ShardStats::undelivered), 0);
  EXPECT_EQ(world_.Sum(&ShardStats::unsettled), 0);
  EXPECT_EQ(world_.Sum(&ShardStats::links_in), 0);
  EXPECT_EQ(world_.Sum(&ShardStats::links_out), 0);
}

// By the number of shards: producer and consumer in one, or each in its own.
INSTANTIATE_TEST_SUITE_P(Shards, ShardSettle, testing::Values(1, 2),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace trunkline::core
