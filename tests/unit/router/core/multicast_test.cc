#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class MulticastTest : public testing::TestWithParam<size_t> {
 protected:
  ~MulticastTest() override { world_.CheckEnd(); }

  World world_{{.default_treatment = Treatment::kMulticast, .shards = GetParam()}};
  Peer& near_ = world_.Connect();
  Peer& far_ = world_.Connect({}, static_cast<ShardId>(GetParam() - 1));
  Consumer one_ = world_.Receiver(far_, "fan");
  Consumer two_ = world_.Receiver(far_, "fan");
  Consumer three_ = world_.Receiver(near_, "fan");
  Producer producer_ = world_.Sender(near_, "fan");
};

TEST_P(MulticastTest, CopiesToEverybody) {
  producer_.Send(Body("m"));
  world_.Turn();
  for (const Consumer& consumer : {one_, two_, three_}) {
    EXPECT_THAT(consumer.Texts(), ElementsAre("m"));
    EXPECT_FALSE(consumer.got()[0].settled);
  }
  EXPECT_EQ(world_.Sum(&ShardStats::deliveries_in), 1);
  EXPECT_EQ(world_.Sum(&ShardStats::deliveries_out), 3);
  for (Consumer& consumer : {std::ref(one_), std::ref(two_), std::ref(three_)})
    consumer.AcceptAll();
  EXPECT_EQ(producer_.record().released, Body("m").size()) << "once";
}

TEST_P(MulticastTest, TellsTheStrongestOutcomeWithTheLast) {
  producer_.Send(Body("m"));
  world_.Turn();
  one_.Settle(one_.got()[0], OutcomeKind::kReleased);
  two_.Settle(two_.got()[0], OutcomeKind::kAccepted);
  EXPECT_THAT(producer_.record().told, IsEmpty());
  three_.Settle(three_.got()[0], OutcomeKind::kModified);
  ASSERT_THAT(producer_.record().told, SizeIs(1));
  EXPECT_EQ(producer_.record().told[0].kind, OutcomeKind::kAccepted);
  EXPECT_TRUE(producer_.record().told[0].settled);
  EXPECT_EQ(producer_.record().credit, 250u);
}

TEST_P(MulticastTest, RejectedWinsAndDeclaredIsARejection) {
  for (const OutcomeKind kind : {OutcomeKind::kRejected, OutcomeKind::kDeclared}) {
    producer_.Send(Body("m"));
    world_.Turn();
    one_.Settle(one_.got().back(), OutcomeKind::kAccepted);
    two_.Settle(two_.got().back(), {.kind = kind, .raw = "an error, for instance"}, true);
    three_.Settle(three_.got().back(), OutcomeKind::kAccepted);
    EXPECT_EQ(producer_.record().told.back().kind, OutcomeKind::kRejected);
    EXPECT_EQ(producer_.record().told.back().raw, "") << "state data is not passed back";
  }
}

TEST_P(MulticastTest, TellsThatAModifiedDeliveryHasFailed) {
  producer_.Send(Body("m"));
  world_.Turn();
  for (Consumer* consumer : {&one_, &two_, &three_}) {
    consumer->Settle(consumer->got()[0], OutcomeKind::kModified);
  }
  ASSERT_THAT(producer_.record().told, SizeIs(1));
  EXPECT_EQ(producer_.record().told[0].raw, amqp::ModifiedDeliveryFailed(""));
}

TEST_P(MulticastTest, SettlesWithTheLastSettlement) {
  producer_.Send(Body("m"));
  world_.Turn();
  one_.Settle(one_.got()[0], OutcomeKind::kAccepted, false);
  two_.Settle(two_.got()[0], OutcomeKind::kAccepted, true);
  three_.Settle(three_.got()[0], OutcomeKind::kReleased, false);
  ASSERT_THAT(producer_.record().told, SizeIs(1));
  EXPECT_EQ(producer_.record().told[0].kind, OutcomeKind::kAccepted);
  EXPECT_FALSE(producer_.record().told[0].settled);
  one_.Settle(one_.got()[0], OutcomeKind::kNone, true);
  EXPECT_THAT(producer_.record().told, SizeIs(1));
  three_.Settle(three_.got()[0], OutcomeKind::kReleased, true);
  ASSERT_THAT(producer_.record().told, SizeIs(2));
  EXPECT_TRUE(producer_.record().told[1].settled);
  EXPECT_EQ(world_.shard->stats().accepted.Get(), 1u);
}

TEST_P(MulticastTest, LetsTheProducerSettleAllCopies) {
  producer_.Send(Body("m"));
  world_.Turn();
  for (Consumer* consumer : {&one_, &two_, &three_}) {
    consumer->Settle(consumer->got()[0], OutcomeKind::kAccepted, false);
  }
  producer_.Settle(producer_.user);
  for (const Consumer& consumer : {one_, two_, three_}) {
    EXPECT_THAT(consumer.got()[0].from_producer, SizeIs(1));
  }
  EXPECT_EQ(world_.Unsettled(), 0u);
}

TEST_P(MulticastTest, IgnoresStatesThatAreNotTerminal) {
  producer_.Send(Body("m"));
  world_.Turn();
  for (Consumer* consumer : {&one_, &two_, &three_}) {
    consumer->Settle(consumer->got()[0], OutcomeKind::kReceived, false);
    consumer->Settle(consumer->got()[0], OutcomeKind::kTransactional, false);
  }
  EXPECT_THAT(producer_.record().told, IsEmpty());
}

TEST_P(MulticastTest, CountsALostConsumerAsItsOutcome) {
  three_.Flow(0);
  producer_.Send(Body("m"));
  world_.Turn();
  one_.Detach();
  three_.Detach();
  EXPECT_THAT(producer_.record().told, IsEmpty());
  two_.AcceptAll();
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kAccepted));

  producer_.Send(Body("n"));
  world_.Turn();
  two_.Detach();
  EXPECT_EQ(producer_.Outcomes().back(), OutcomeKind::kModified);
}

TEST_P(MulticastTest, ReleasesWhenAllConsumersReleaseOrLeave) {
  one_.Flow(0);
  two_.Flow(0);
  producer_.Send(Body("m"));
  world_.Turn();
  one_.Detach();
  two_.Detach();
  three_.Settle(three_.got()[0], OutcomeKind::kReleased);
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kReleased));
}

TEST_P(MulticastTest, FreesAPresettledMessageWithItsLastCopy) {
  three_.Flow(0);
  producer_.Send(Body("m"), {.settled = true});
  world_.Turn();
  EXPECT_EQ(producer_.record().credit, 250u);
  EXPECT_EQ(producer_.record().released, 0u) << "one copy waits";
  EXPECT_EQ(world_.Unsettled(), 1u);
  three_.Flow(1);
  world_.Turn();
  EXPECT_EQ(producer_.record().released, Body("m").size());
  EXPECT_EQ(world_.Unsettled(), 0u);
  EXPECT_TRUE(one_.got()[0].settled);
  EXPECT_THAT(producer_.record().told, IsEmpty());
}

TEST_P(MulticastTest, StreamsAtThePaceOfTheSlowest) {
  const std::string big = Body(std::string(300 * 1024, 'x'));
  near_.sink.window = 50'000;
  producer_.Send(big.substr(0, 200'000), {.more = true});
  world_.Turn();
  EXPECT_EQ(one_.got()[0].bytes.size(), 200'000u);
  EXPECT_EQ(producer_.record().released, 50'000u);
  producer_.More(big.substr(200'000));
  world_.Turn();
  EXPECT_TRUE(one_.got()[0].complete);
  EXPECT_EQ(producer_.record().released, 50'000u);
  three_.Detach();
  EXPECT_EQ(producer_.record().released, big.size()) << "nobody slow is left";
  EXPECT_EQ(two_.got()[0].bytes, big);
}

TEST_P(MulticastTest, GoesOnStreamingToWhoIsLeft) {
  const std::string big = Body(std::string(300 * 1024, 'x'));
  producer_.Send(big.substr(0, 200'000), {.more = true});
  world_.Turn();
  two_.Detach();
  producer_.More(big.substr(200'000, 50'000), {.more = true});
  world_.Turn();
  EXPECT_EQ(producer_.record().released, 250'000u);
  one_.Detach();
  three_.Detach();
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kModified));
  producer_.More(big.substr(250'000));
  EXPECT_EQ(producer_.record().released, big.size());
}

TEST_P(MulticastTest, AbortsEveryCopy) {
  three_.Flow(0);
  const std::string big = Body(std::string(200 * 1024, 'x'));
  producer_.Send(big, {.more = true});
  world_.Turn();
  producer_.Abort();
  world_.Turn();
  EXPECT_TRUE(one_.got()[0].aborted);
  EXPECT_TRUE(two_.got()[0].aborted);
  three_.Flow(5);
  world_.Turn();
  EXPECT_THAT(three_.got(), IsEmpty());
  EXPECT_EQ(producer_.record().released, big.size());
  EXPECT_EQ(producer_.record().credit, 250u);
}

TEST_P(MulticastTest, HasItsRulesForASingleConsumerToo) {
  one_.Detach();
  two_.Detach();
  world_.Turn();
  producer_.Send(Body("m"));
  world_.Turn();
  three_.Settle(three_.got()[0], {.kind = OutcomeKind::kRejected, .raw = "why"}, true);
  ASSERT_THAT(producer_.record().told, SizeIs(1));
  EXPECT_EQ(producer_.record().told[0].raw, "");
}

// By the number of shards: producer and consumer in one, or each in its own.
INSTANTIATE_TEST_SUITE_P(Shards, MulticastTest, testing::Values(1, 2),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace trunkline::core
