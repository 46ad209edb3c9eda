#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class EmitTest : public testing::Test {
 protected:
  World world_;
  Peer& near_ = world_.Connect();
  Peer& far_ = world_.Connect({.link_capacity = 4});
  Consumer consumer_ = world_.Receiver(far_, "orders", 0);
  Producer producer_ = world_.Sender(near_, "orders");
};

TEST_F(EmitTest, SendsAsMuchAsThereIsCredit) {
  for (int i = 0; i < 5; ++i) producer_.Send(Body(std::to_string(i)));
  world_.Turn();
  EXPECT_THAT(consumer_.got(), IsEmpty());
  consumer_.Flow(2);
  EXPECT_FALSE(world_.shard->Emit(Time{}));
  EXPECT_THAT(consumer_.Texts(), ElementsAre("0", "1"));
  consumer_.Flow(1);
  world_.Turn();
  EXPECT_THAT(consumer_.Texts(), ElementsAre("0", "1", "2"));
}

TEST_F(EmitTest, WaitsForABlockedConnection) {
  far_.sink.blocked = true;
  consumer_.Flow(10);
  producer_.Send(Body("m"));
  EXPECT_FALSE(world_.shard->Emit(Time{})) << "nothing to do until the connection says so";
  far_.sink.blocked = false;
  world_.Turn();
  EXPECT_THAT(consumer_.got(), IsEmpty());
  world_.shard->Resume(far_.connection);
  world_.Turn();
  EXPECT_THAT(consumer_.Texts(), ElementsAre("m"));
}

TEST_F(EmitTest, ForgetsABlockedLinkThatLeaves) {
  far_.sink.blocked = true;
  consumer_.Flow(10);
  producer_.Send(Body("m"));
  world_.Turn();
  consumer_.Detach();
  far_.sink.blocked = false;
  world_.shard->Resume(far_.connection);
  world_.Turn();
  EXPECT_THAT(consumer_.got(), IsEmpty());
}

TEST_F(EmitTest, BelievesAConnectionThatHasNoCredit) {
  world_.shard->OnFlow(consumer_.link, 5, false);
  producer_.Send(Body("m"));
  EXPECT_FALSE(world_.shard->Emit(Time{}));
  consumer_.Flow(1);
  world_.Turn();
  EXPECT_THAT(consumer_.Texts(), ElementsAre("m"));
}

// A turn sends 2 MiB at most, so many that send much have to wait for each other.
TEST_F(EmitTest, WhoSendsMuchMakesWayForWhoSendsLittle) {
  constexpr int kBulky = 64;
  const std::string large(1 << 20, 'x');
  for (int i = 0; i < kBulky; ++i) {
    const std::string address = "bulk." + std::to_string(i);
    world_.Receiver(far_, address, 10);
    world_.Sender(near_, address).Send(Body(large));
  }
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(world_.shard->Emit(Time{}));
  consumer_.Flow(1);
  producer_.Send(Body("m"));
  EXPECT_TRUE(world_.shard->Emit(Time{})) << "much is left";
  EXPECT_THAT(consumer_.Texts(), ElementsAre("m"));
}

// --- drain

TEST_F(EmitTest, AnswersADrainWhenThereIsNothing) {
  consumer_.Flow(10, true);
  EXPECT_EQ(consumer_.record().drained, 0);
  world_.Turn();
  EXPECT_EQ(consumer_.record().drained, 1);
  producer_.Send(Body("m"));
  world_.Turn();
  EXPECT_THAT(consumer_.got(), IsEmpty()) << "the credit is gone";
}

TEST_F(EmitTest, SendsWhatThereIsBeforeItAnswersADrain) {
  producer_.Send(Body("1"));
  producer_.Send(Body("2"));
  consumer_.Flow(10, true);
  world_.Turn();
  EXPECT_THAT(consumer_.Texts(), ElementsAre("1", "2"));
  EXPECT_EQ(consumer_.record().drained, 1);
}

TEST_F(EmitTest, AnswersADrainWhenTheCreditIsUsedUp) {
  for (int i = 0; i < 5; ++i) producer_.Send(Body("m"));
  consumer_.Flow(3, true);
  world_.Turn();
  EXPECT_THAT(consumer_.got(), SizeIs(3));
  EXPECT_EQ(consumer_.record().drained, 1);
  consumer_.Flow(10);
  world_.Turn();
  EXPECT_THAT(consumer_.got(), SizeIs(5));
}

TEST_F(EmitTest, AnswersADrainOnlyBetweenDeliveries) {
  consumer_.Flow(10);
  producer_.Send(std::string(200 * 1024, 'x'), {.more = true});
  world_.Turn();
  consumer_.Flow(9, true);
  world_.Turn();
  EXPECT_EQ(consumer_.record().drained, 0);
  producer_.More("end");
  world_.Turn();
  EXPECT_TRUE(consumer_.got()[0].complete);
  EXPECT_EQ(consumer_.record().drained, 1);
}

TEST_F(EmitTest, AnswersADrainBehindABlockedConnection) {
  far_.sink.blocked = true;
  producer_.Send(Body("m"));
  consumer_.Flow(10, true);
  world_.Turn();
  EXPECT_EQ(consumer_.record().drained, 0);
  far_.sink.blocked = false;
  world_.shard->Resume(far_.connection);
  world_.Turn();
  EXPECT_THAT(consumer_.got(), SizeIs(1));
  EXPECT_EQ(consumer_.record().drained, 1);
}

TEST_F(EmitTest, ForgetsADrainThatIsTakenBack) {
  producer_.Send(Body("m"));
  far_.sink.blocked = true;
  consumer_.Flow(10, true);
  world_.Turn();
  consumer_.Flow(10, false);
  far_.sink.blocked = false;
  world_.shard->Resume(far_.connection);
  world_.Turn();
  EXPECT_EQ(consumer_.record().drained, 0);
}

// --- pre-settled overflow

TEST_F(EmitTest, KeepsPresettledMessagesUpToTheCapacity) {
  for (int i = 0; i < 4; ++i) producer_.Send(Body(std::to_string(i)), {.settled = true});
  consumer_.Flow(10);
  world_.Turn();
  EXPECT_THAT(consumer_.Texts(), ElementsAre("0", "1", "2", "3"));
  EXPECT_EQ(world_.shard->stats().dropped_presettled.Get(), 0u);
}

TEST_F(EmitTest, DropsAllButTheFirstWhenOneMoreComes) {
  for (int i = 0; i < 5; ++i) producer_.Send(Body(std::to_string(i)), {.settled = true});
  EXPECT_EQ(producer_.record().released, 3 * Body("1").size());
  consumer_.Flow(10);
  world_.Turn();
  EXPECT_THAT(consumer_.Texts(), ElementsAre("0", "4"));
  EXPECT_EQ(world_.shard->stats().dropped_presettled.Get(), 3u);
  EXPECT_EQ(producer_.record().credit, 250u);
  EXPECT_EQ(world_.shard->unsettled(), 0u);
}

TEST_F(EmitTest, DropsNothingThatTheConsumerHasCreditFor) {
  consumer_.Flow(10);
  for (int i = 0; i < 14; ++i) producer_.Send(Body(std::to_string(i)), {.settled = true});
  world_.Turn();
  EXPECT_THAT(consumer_.Texts(), SizeIs(10));
  EXPECT_EQ(world_.shard->stats().dropped_presettled.Get(), 0u);
  for (int i = 14; i < 19; ++i) producer_.Send(Body(std::to_string(i)), {.settled = true});
  EXPECT_GT(world_.shard->stats().dropped_presettled.Get(), 0u);
}

TEST_F(EmitTest, CountsNoCreditOfABlockedConsumer) {
  consumer_.Flow(100);
  far_.sink.blocked = true;
  producer_.Send(Body("0"), {.settled = true});
  world_.Turn();
  for (int i = 1; i < 5; ++i) producer_.Send(Body(std::to_string(i)), {.settled = true});
  EXPECT_EQ(world_.shard->stats().dropped_presettled.Get(), 3u);
}

TEST_F(EmitTest, DropsNoUnsettledMessage) {
  producer_.Send(Body("0"), {.settled = true});
  producer_.Send(Body("1"));
  producer_.Send(Body("2"), {.settled = true});
  producer_.Send(Body("3"));
  producer_.Send(Body("4"), {.settled = true});
  producer_.Send(Body("5"));
  consumer_.Flow(10);
  world_.Turn();
  EXPECT_THAT(consumer_.Texts(), ElementsAre("0", "1", "3", "4", "5"));
}

// A queue may be as long as its producers have credit: to walk it for each message would let them
// stop the router.
TEST_F(EmitTest, DropsWithoutALookAtWhatIsNotPresettled) {
  constexpr int kMany = 50'000;
  producer_.SendMany(kMany, Body("u"));
  const auto start = std::chrono::steady_clock::now();
  producer_.SendMany(kMany, Body("s"), {.settled = true});
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
  EXPECT_EQ(world_.shard->stats().dropped_presettled.Get(), uint64_t{kMany - 1});
  EXPECT_EQ(world_.shard->unsettled(), uint64_t{kMany + 1});
}

TEST_F(EmitTest, DropsWhatTheProducerSettledWhileItWaited) {
  for (const char* text : {"0", "1", "2", "3"}) {
    producer_.Send(Body(text));
    if (*text != '2') producer_.Settle(producer_.user);
  }
  producer_.Send(Body("4"), {.settled = true});
  consumer_.Flow(10);
  world_.Turn();
  EXPECT_THAT(consumer_.Texts(), ElementsAre("0", "2", "4"));
}

TEST_F(EmitTest, CountsPresettledMessagesThatNobodyGot) {
  producer_.Send(Body("0"), {.settled = true});
  producer_.Send(Body("1"), {.settled = true});
  consumer_.Detach();
  EXPECT_EQ(world_.shard->stats().dropped_presettled.Get(), 2u);
  EXPECT_THAT(producer_.record().told, IsEmpty());
  EXPECT_EQ(producer_.record().released, 2 * Body("1").size());
  EXPECT_EQ(world_.shard->unsettled(), 0u);
}

TEST_F(EmitTest, TakesASettledLinkAtItsWord) {
  Producer settled = world_.Sender(near_, {.address = "orders", .presettled = true});
  settled.Send(Body("m"));
  consumer_.Flow(1);
  world_.Turn();
  EXPECT_TRUE(consumer_.got()[0].settled);
  EXPECT_EQ(world_.shard->stats().presettled.Get(), 1u);
}

}  // namespace
}  // namespace trunkline::core
