#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr size_t kHold = 128 * 1024;
constexpr size_t kFrame = 16 * 1024;

// Large messages, on their way before all of them is here.
class StreamTest : public testing::TestWithParam<size_t> {
 protected:
  ~StreamTest() override { world_.CheckEnd(); }

  // `bytes` of the message from `from` on, in frames; the message goes on.
  void SendPart(Producer& producer, size_t from, size_t to) {
    for (size_t at = from; at < to; at += kFrame) {
      const std::string frame = big_.substr(at, std::min(kFrame, to - at));
      if (at == 0) {
        producer.Send(frame, {.more = true});
      } else {
        producer.More(frame, {.more = true});
      }
    }
  }

  // Another shard says less often what it has passed on.
  void ExpectReleased(const Producer& producer, uint64_t bytes) {
    const uint64_t step = GetParam() == 1 ? 1 : 64 * 1024;
    EXPECT_LE(producer.record().released, bytes);
    EXPECT_GT(producer.record().released + step, bytes);
  }

  World world_{{.shards = GetParam()}};
  Peer& near_ = world_.Connect();
  Peer& far_ = world_.Connect({}, static_cast<ShardId>(GetParam() - 1));
  Consumer consumer_ = world_.Receiver(far_, "orders");
  Producer producer_ = world_.Sender(near_, "orders");
  const std::string big_ = Body(std::string(400 * 1024, 'b'));
};

TEST_P(StreamTest, HoldsSmallMessagesUntilTheyAreComplete) {
  producer_.Send(big_.substr(0, 1000), {.more = true});
  producer_.More(big_.substr(1000, 1000), {.more = true});
  world_.Turn();
  EXPECT_THAT(consumer_.got(), IsEmpty());
  EXPECT_EQ(producer_.record().released, 0u);
  producer_.More("");
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(1));
  EXPECT_TRUE(consumer_.got()[0].complete);
  EXPECT_EQ(consumer_.got()[0].bytes, big_.substr(0, 2000));
  consumer_.AcceptAll();
  EXPECT_EQ(producer_.record().released, 2000u);
}

TEST_P(StreamTest, StartsAtTheLimitAndNotBefore) {
  producer_.Send(big_.substr(0, kHold - 1), {.more = true});
  world_.Turn();
  EXPECT_THAT(consumer_.got(), IsEmpty());
  producer_.More(big_.substr(kHold - 1, 1), {.more = true});
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(1));
  EXPECT_FALSE(consumer_.got()[0].complete);
  EXPECT_EQ(consumer_.got()[0].bytes.size(), kHold);
  EXPECT_EQ(producer_.record().released, kHold);
}

TEST_P(StreamTest, PassesEachPartOnAsItComes) {
  SendPart(producer_, 0, kHold);
  world_.Turn();
  for (size_t at = kHold; at < 3 * kHold; at += kHold) {
    SendPart(producer_, at, at + kHold);
    world_.Turn();
    EXPECT_EQ(consumer_.got()[0].bytes.size(), at + kHold);
    EXPECT_EQ(producer_.record().released, at + kHold);
  }
  producer_.More(big_.substr(3 * kHold));
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(1));
  EXPECT_EQ(consumer_.got()[0].bytes, big_);
  EXPECT_TRUE(consumer_.got()[0].complete);
  consumer_.AcceptAll();
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kAccepted));
  EXPECT_EQ(producer_.record().credit, 250u);
}

TEST_P(StreamTest, HoldsTheWindowWhileTheConsumerDoesNotTakeIt) {
  far_.sink.window = 100'000;
  SendPart(producer_, 0, 3 * kHold);
  world_.Turn();
  ExpectReleased(producer_, 100'000);
  far_.sink.window = 50'000;
  far_.Resume();
  world_.Turn();
  ExpectReleased(producer_, 150'000);
  far_.sink.window = UINT64_MAX;
  far_.Resume();
  producer_.Abort();
  world_.Turn();
  EXPECT_EQ(producer_.record().released, 3 * kHold);
}

TEST_P(StreamTest, LetsMessagesWaitBehindTheOneThatIsStillComing) {
  SendPart(producer_, 0, kHold);
  world_.Turn();
  Producer other = world_.Sender(near_, "orders");
  other.Send(Body("behind"));
  world_.Turn();
  EXPECT_THAT(consumer_.got(), SizeIs(1));
  producer_.More(big_.substr(kHold));
  world_.Turn();
  EXPECT_THAT(consumer_.got(), SizeIs(2));
}

TEST_P(StreamTest, NeedsCreditOnlyToBegin) {
  consumer_.Flow(1);
  SendPart(producer_, 0, kHold);
  world_.Turn();
  producer_.More(big_.substr(kHold));
  world_.Turn();
  EXPECT_TRUE(consumer_.got()[0].complete);
  EXPECT_EQ(consumer_.got()[0].bytes, big_);
}

TEST_P(StreamTest, AbortsWhatTheConsumerHasSeenAPartOf) {
  SendPart(producer_, 0, kHold + kFrame);
  world_.Turn();
  producer_.Abort();
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(1));
  EXPECT_TRUE(consumer_.got()[0].aborted);
  EXPECT_EQ(producer_.record().credit, 250u);
  EXPECT_THAT(producer_.record().told, IsEmpty());
  producer_.Send(Body("next"));
  world_.Turn();
  EXPECT_EQ(TextOf(consumer_.got()[1].bytes), "next");
}

TEST_P(StreamTest, DropsAnAbortedMessageThatNobodyHasSeen) {
  producer_.Send(big_.substr(0, 100), {.more = true});
  producer_.Abort();
  consumer_.Flow(0);
  SendPart(producer_, 0, 2 * kHold);
  producer_.Abort();
  world_.Turn();
  consumer_.Flow(10);
  world_.Turn();
  EXPECT_THAT(consumer_.got(), IsEmpty());
  EXPECT_EQ(producer_.record().credit, 250u);
  EXPECT_EQ(producer_.record().released, 100 + 2 * kHold);
  EXPECT_EQ(world_.Unsettled(), 0u);
}

TEST_P(StreamTest, ForgetsWhatComesWithAnAbort) {
  SendPart(producer_, 0, kHold);
  producer_.Abort("not worth a look");
  EXPECT_EQ(producer_.record().released, kHold + 16);
  producer_.Send("12345", {.more = true});
  producer_.Abort("67");
  EXPECT_EQ(producer_.record().released, kHold + 16 + 7);
  producer_.More("for nobody");
  EXPECT_EQ(producer_.record().released, kHold + 16 + 7 + 10);
  EXPECT_EQ(producer_.record().credit, 250u);
}

TEST_P(StreamTest, AbortsWhenTheProducerIsLost) {
  SendPart(producer_, 0, kHold);
  world_.Turn();
  SendPart(producer_, kHold, kHold + kFrame);
  producer_.Detach();
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(1));
  EXPECT_TRUE(consumer_.got()[0].aborted);
  EXPECT_EQ(producer_.record().released, kHold + kFrame);
  EXPECT_EQ(world_.Unsettled(), 0u);
}

TEST_P(StreamTest, WaitsWithTheAbortForABlockedConnection) {
  SendPart(producer_, 0, kHold);
  world_.Turn();
  far_.sink.blocked = true;
  SendPart(producer_, kHold, kHold + kFrame);
  world_.Turn();
  producer_.Abort();
  world_.Turn();
  EXPECT_FALSE(consumer_.got()[0].aborted);
  far_.sink.blocked = false;
  far_.Resume();
  world_.Turn();
  EXPECT_TRUE(consumer_.got()[0].aborted);
}

TEST_P(StreamTest, ThrowsTheRestAwayWhenTheConsumerIsLost) {
  SendPart(producer_, 0, kHold);
  world_.Turn();
  consumer_.Detach();
  ASSERT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kModified)) << "at once";
  SendPart(producer_, kHold, 2 * kHold);
  EXPECT_EQ(producer_.record().released, 2 * kHold);
  EXPECT_EQ(world_.Unsettled(), 1u);
  producer_.More(big_.substr(2 * kHold));
  EXPECT_EQ(producer_.record().released, big_.size());
  EXPECT_EQ(world_.Unsettled(), 0u);
  EXPECT_THAT(producer_.Outcomes(), SizeIs(1));
}

TEST_P(StreamTest, ReleasesAStreamThatNeverStartedWhenTheConsumerIsLost) {
  consumer_.Flow(0);
  SendPart(producer_, 0, kHold);
  world_.Turn();
  consumer_.Detach();
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kReleased));
  producer_.More("the rest");
  EXPECT_EQ(world_.Unsettled(), 0u);
}

TEST_P(StreamTest, GoesOnWhenTheConsumerSettlesEarly) {
  SendPart(producer_, 0, kHold);
  world_.Turn();
  consumer_.AcceptAll();
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kAccepted));
  producer_.More(big_.substr(kHold));
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(1));
  EXPECT_EQ(consumer_.got()[0].bytes, big_);
  EXPECT_EQ(world_.Unsettled(), 0u);
  EXPECT_EQ(producer_.record().credit, 250u);
}

TEST_P(StreamTest, SettlesAfterSendingWhatTheProducerSettledMidway) {
  SendPart(producer_, 0, kHold);
  world_.Turn();
  producer_.Settle(producer_.user);
  producer_.More(big_.substr(kHold));
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(1));
  EXPECT_EQ(consumer_.got()[0].bytes, big_);
  ASSERT_THAT(consumer_.got()[0].from_producer, SizeIs(1));
  EXPECT_TRUE(consumer_.got()[0].from_producer[0].settled);
  EXPECT_EQ(world_.Unsettled(), 0u);
}

TEST_P(StreamTest, TakesASettledFlagOnALaterFrame) {
  producer_.Send(big_.substr(0, 100), {.more = true});
  producer_.More(big_.substr(100, 100), {.settled = true});
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(1));
  EXPECT_TRUE(consumer_.got()[0].settled);
  SendPart(producer_, 0, kHold);
  world_.Turn();
  producer_.More(big_.substr(kHold), {.settled = true});
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(2));
  EXPECT_THAT(consumer_.got()[1].from_producer, SizeIs(1));
  EXPECT_EQ(producer_.record().credit, 250u);
  EXPECT_EQ(world_.Unsettled(), 0u);
}

TEST_P(StreamTest, SendsPresettledStreams) {
  producer_.Send(big_.substr(0, kHold), {.settled = true, .more = true});
  world_.Turn();
  producer_.More(big_.substr(kHold), {.settled = true});
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(1));
  EXPECT_TRUE(consumer_.got()[0].settled);
  EXPECT_EQ(consumer_.got()[0].bytes, big_);
  EXPECT_EQ(world_.Unsettled(), 0u);
}

TEST_P(StreamTest, SharesTheTurnAmongLinks) {
  Consumer small = world_.Receiver(far_, "small");
  Producer to_small = world_.Sender(near_, "small");
  producer_.Send(big_);
  to_small.Send(Body("quick"));
  EXPECT_TRUE(far_.shard().Emit(Time{}));
  EXPECT_EQ(consumer_.got()[0].bytes.size(), 64u * 1024) << "its quantum";
  EXPECT_THAT(small.Texts(), ElementsAre("quick"));
  world_.Turn();
  EXPECT_EQ(consumer_.got()[0].bytes, big_);
}

TEST_P(StreamTest, SendsOnlySoMuchInOneTurn) {
  constexpr size_t kTurnMax = (2u << 20) + 64 * 1024;
  Peer& peer = world_.Connect({}, far_.home);
  std::vector<Consumer> consumers;
  for (int i = 0; i < 100; ++i) {
    const std::string address = "to/" + std::to_string(i);
    consumers.push_back(world_.Receiver(peer, address));
    world_.Sender(near_, address).Send(big_.substr(0, 60 * 1024));
  }
  size_t before = 0;
  bool more = true;
  for (int turn = 0; more; ++turn) {
    more = far_.shard().Emit(Time{});
    size_t bytes = 0;
    for (const Consumer& consumer : consumers) {
      for (const Got& got : consumer.got()) bytes += got.bytes.size();
    }
    EXPECT_LE(bytes - before, kTurnMax);
    EXPECT_EQ(consumers[0].got().size(), 1u) << "first come, first served";
    before = bytes;
    ASSERT_LT(turn, 10);
  }
  EXPECT_EQ(before, 100u * 60 * 1024);
}

TEST_P(StreamTest, CopiesSmallMessagesThatHaveToWait) {
  consumer_.Flow(0);
  for (int i = 0; i < 100; ++i) producer_.Send(Body("small"));
  producer_.Send(Body("a part"), {.more = true});
  world_.Turn();
  EXPECT_LT(world_.pool.bytes_in_use(), 101 * Payload::kCompactMax);
}

// --- the session window

TEST_P(StreamTest, MakesRoomForAStreamHeldUpByWhatWaitsBehindIt) {
  Peer& narrow = world_.Connect({.session_window_bytes = 256 * 1024});
  Producer head = world_.Sender(narrow, "orders");
  Producer tail = world_.Sender(narrow, "orders");
  SendPart(head, 0, kHold);
  world_.Turn();
  SendPart(tail, 0, kHold - kFrame);
  tail.More(big_.substr(kHold - kFrame, kFrame), {.more = true});
  EXPECT_EQ(tail.record().released, 0u);
  world_.Turn();
  EXPECT_EQ(tail.record().released, kHold) << "or the rest of the head could never come";
  SendPart(tail, kHold, 2 * kHold);
  world_.Turn();
  EXPECT_EQ(tail.record().released, 2 * kHold);
  head.More(big_.substr(kHold));
  tail.More(big_.substr(2 * kHold));
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(2));
  EXPECT_EQ(consumer_.got()[0].bytes, big_);
  EXPECT_EQ(consumer_.got()[1].bytes, big_);
  EXPECT_EQ(head.record().released, big_.size());
  EXPECT_EQ(tail.record().released, big_.size());
}

TEST_P(StreamTest, GivesNothingBackEarlyToAConsumerThatIsOnlySlow) {
  Peer& narrow = world_.Connect({.session_window_bytes = 256 * 1024});
  Producer one = world_.Sender(narrow, "orders");
  consumer_.Flow(0);
  SendPart(one, 0, 2 * kHold);
  world_.Turn();
  EXPECT_EQ(one.record().released, 0u);
}

// Once all of a stream is here, what waits behind it waits for the consumer alone.
TEST_P(StreamTest, GivesNothingBackEarlyBehindAStreamThatIsAllHere) {
  Peer& narrow = world_.Connect({.session_window_bytes = 256 * 1024});
  Producer one = world_.Sender(narrow, "orders");
  SendPart(one, 0, kHold);
  world_.Turn();
  far_.sink.blocked = true;
  one.More(big_.substr(kHold));
  world_.Turn();
  ExpectReleased(one, kHold);
  for (int i = 0; i < 4; ++i) {
    SendPart(one, 0, 2 * kHold);
    world_.Turn();
    one.More(big_.substr(2 * kHold));
  }
  world_.Turn();
  ExpectReleased(one, kHold);
  far_.sink.blocked = false;
  far_.Resume();
  world_.Turn();
  EXPECT_THAT(consumer_.got(), SizeIs(5));
  consumer_.AcceptAll();
  EXPECT_EQ(one.record().released, 5 * big_.size());
}

TEST_P(StreamTest, MakesRoomForManyMessagesThatComeAtOnce) {
  Peer& narrow = world_.Connect({.session_window_bytes = 256 * 1024});
  uint64_t released = 0;
  std::vector<Producer> producers;
  for (int i = 0; i < 4; ++i) {
    producers.push_back(world_.Sender(narrow, "orders"));
    producers.back().Send(big_.substr(0, 40 * 1024), {.more = true});
  }
  for (Producer& producer : producers) released += producer.record().released;
  EXPECT_EQ(released, 160u * 1024) << "more than half of the window is half messages";
  for (Producer& producer : producers) producer.More(big_.substr(40 * 1024, 1000));
  world_.Turn();
  EXPECT_THAT(consumer_.got(), SizeIs(4));
  consumer_.AcceptAll();
  for (Producer& producer : producers) {
    EXPECT_EQ(producer.record().released, 40 * 1024 + 1000u);
  }
}

TEST(StreamBudget, ReleasesWhatPilesUpBehindAStreamThatDoesNotEnd) {
  World world({.link_budget_bytes = 8 * 1024});
  Peer& peer = world.Connect({.session_window_bytes = 64 * 1024});
  Consumer consumer = world.Receiver(peer, "orders");
  Producer head = world.Sender(peer, "orders");
  Producer tail = world.Sender(peer, "orders");
  head.Send(Body(std::string(kHold, 'h')), {.more = true});
  world.Turn();
  tail.Send(std::string(kHold, 't'), {.more = true});
  for (int i = 0; i < 20; ++i) {
    tail.More(std::string(32 * 1024, 't'), {.more = true});
    world.Turn();
  }
  EXPECT_THAT(tail.Outcomes(), ElementsAre(OutcomeKind::kReleased));
  tail.More("end");
  EXPECT_EQ(tail.record().released, kHold + 20 * 32 * 1024 + 3);
  head.More("end");
  world.Turn();
  EXPECT_THAT(consumer.got(), SizeIs(1));
}

// --- size limit

TEST(Oversize, TakesAMessageAtTheLimit) {
  World world;
  Peer& peer = world.Connect({.max_message_size = 100});
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  producer.Send(Body(std::string(92, 'x')));
  world.Turn();
  EXPECT_THAT(consumer.got(), SizeIs(1));
  EXPECT_THAT(peer.sink.closed, IsEmpty());
}

TEST(Oversize, RejectsOneByteMoreAndClosesTheConnection) {
  World world;
  Peer& peer = world.Connect({.max_message_size = 100});
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  const std::string body = Body(std::string(93, 'x'));
  producer.Send(body.substr(0, 100), {.more = true});
  producer.More(body.substr(100), {.more = true});
  EXPECT_THAT(producer.record().told, IsEmpty()) << "when all has come";
  producer.More("and some");
  world.Turn();
  ASSERT_THAT(producer.record().told, SizeIs(1));
  EXPECT_EQ(producer.record().told[0].raw,
            amqp::EncodeRejected({.name = "amqp:link:message-size-exceeded",
                                  .description = "Message size exceeded",
                                  .info = {}}));
  ASSERT_THAT(producer.record().detached, SizeIs(1));
  EXPECT_FALSE(producer.record().detached[0]) << "without a condition";
  ASSERT_THAT(peer.sink.closed, SizeIs(1));
  EXPECT_EQ(peer.sink.closed[0].name, "amqp:connection:forced");
  EXPECT_EQ(peer.sink.closed[0].description, "Message size exceeded");
  EXPECT_EQ(producer.record().released, body.size() + 8);
  EXPECT_THAT(consumer.got(), IsEmpty());
  EXPECT_EQ(world.shard->unsettled(), 0u);
}

TEST(Oversize, AbortsWhatIsAlreadyOnItsWay) {
  World world;
  Peer& near = world.Connect({.max_message_size = 200 * 1024});
  Peer& far = world.Connect();
  Consumer consumer = world.Receiver(far, "orders");
  Producer producer = world.Sender(near, "orders");
  producer.Send(Body(std::string(150 * 1024, 'x')), {.more = true});
  world.Turn();
  EXPECT_THAT(consumer.got(), SizeIs(1));
  producer.More(std::string(100 * 1024, 'x'), {.more = true});
  world.Turn();
  EXPECT_TRUE(consumer.got()[0].aborted);
  EXPECT_THAT(near.sink.closed, IsEmpty());
  producer.More("");
  EXPECT_THAT(near.sink.closed, SizeIs(1));
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kRejected));
  EXPECT_THAT(far.sink.closed, IsEmpty());
}

TEST(Oversize, SurvivesTheLossOfEitherEnd) {
  World world;
  Peer& near = world.Connect({.max_message_size = 200 * 1024});
  Peer& far = world.Connect();
  Consumer consumer = world.Receiver(far, "orders");
  Producer producer = world.Sender(near, "orders");
  producer.Send(std::string(150 * 1024, 'x'), {.more = true});
  world.Turn();
  producer.More(std::string(100 * 1024, 'x'), {.more = true});
  producer.Detach();
  consumer.Detach();
  world.Turn();
  EXPECT_EQ(world.shard->unsettled(), 0u);
  EXPECT_EQ(producer.record().released, 250u * 1024);
  EXPECT_EQ(world.pool.bytes_in_use(), 0u);
}

// By the number of shards: producer and consumer in one, or each in its own.
INSTANTIATE_TEST_SUITE_P(Shards, StreamTest, testing::Values(1, 2),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace trunkline::core
