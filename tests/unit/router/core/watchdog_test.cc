#include "router/core/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::IsEmpty;
using testing::SizeIs;

class WatchdogTest : public testing::Test {
 protected:
  explicit WatchdogTest(size_t shards = 1)
      : world_({.shards = shards, .watch_interval = kWatchInterval}) {
    Pass({});
    Pass({});
  }

  // Time goes by, and then there is a turn of each shard.
  void Pass(Duration time) {
    world_.now = world_.now + time;
    world_.Turn();
  }
  // Turns as the shards want them, for so long.
  void Run(Duration time) {
    const Time end = world_.now + time;
    for (;;) {
      Time next = kNever;
      for (const auto& part : world_.parts) next = std::min(next, part->shard->NextDeadline());
      if (next > end) break;
      Pass(next > world_.now ? next - world_.now : Duration{});
    }
    Pass(end - world_.now);
  }
  std::vector<LinkStuck> Said() const {
    std::vector<LinkStuck> said;
    for (const Notice& notice : world_.notices) {
      if (const auto* stuck = std::get_if<LinkStuck>(&notice)) said.push_back(*stuck);
    }
    return said;
  }
  const ShardStats& stats() const { return world_.shard->stats(); }

  World world_;
};

// --- when it looks

TEST_F(WatchdogTest, DoesNotWakeARouterWithoutDeliveries) {
  Peer& peer = world_.Connect();
  world_.Receiver(peer, "orders", 0);
  world_.Sender(peer, "orders");
  Run(Seconds(1));
  EXPECT_EQ(world_.shard->NextDeadline(), kNever);
}

TEST_F(WatchdogTest, LooksAgainAsLongAsThereAreDeliveries) {
  Peer& peer = world_.Connect();
  Consumer consumer = world_.Receiver(peer, "orders", 10);
  Producer producer = world_.Sender(peer, "orders");
  Pass(Seconds(40));
  producer.Send(Body("m"));
  Pass({});
  EXPECT_LE(world_.shard->NextDeadline(), world_.now + kWatchInterval);
  Run(kMinute);
  EXPECT_GT(world_.shard->NextDeadline(), world_.now);
  EXPECT_LE(world_.shard->NextDeadline(), world_.now + kWatchInterval);
  consumer.AcceptAll();
  EXPECT_EQ(world_.shard->NextDeadline(), kNever);
}

TEST_F(WatchdogTest, WatchesNothingUnlessAskedTo) {
  World world;
  Peer& peer = world.Connect();
  world.Receiver(peer, "orders", 0);
  Producer producer = world.Sender(peer, "orders");
  producer.Send(Body("m"));
  world.now = world.now + kMinute;
  world.shard->BeginTurn(world.now);
  EXPECT_EQ(world.shard->NextDeadline(), kNever);
  EXPECT_EQ(world.shard->stats().stuck.Get(), 0);
}

TEST_F(WatchdogTest, LooksAtNoMoreThanASliceInOneTurn) {
  constexpr uint32_t kMany = 3 * kWatchSlice;
  Peer& peer = world_.Connect({.link_capacity = kMany});
  Consumer consumer = world_.Receiver(peer, "orders", 0);
  Producer producer = world_.Sender(peer, "orders");
  for (uint32_t i = 0; i < kMany; ++i) producer.Send(Body("m"));
  world_.now = world_.now + kMinute;
  world_.shard->BeginTurn(world_.now);
  EXPECT_EQ(stats().stuck.Get(), kWatchSlice);
  EXPECT_LE(world_.shard->NextDeadline(), world_.now) << "it goes on at once";
  Run({});
  EXPECT_EQ(stats().stuck.Get(), kMany);
  EXPECT_THAT(Said(), SizeIs(1));
  EXPECT_GT(world_.shard->NextDeadline(), world_.now);
  consumer.Flow(kMany);
  world_.Turn();
  consumer.AcceptAll();
  EXPECT_EQ(stats().stuck.Get(), 0);
}

// --- stuck deliveries

class StuckTest : public WatchdogTest {
 protected:
  Peer& peer_ = world_.Connect();
  Consumer consumer_ = world_.Receiver(peer_, "orders", 100);
  Producer producer_ = world_.Sender(peer_, "orders");
};

TEST_F(StuckTest, CountsWhatIsOlderThanTenSeconds) {
  producer_.Send(Body("m"));
  Pass(kStuckAge);
  Run({});
  EXPECT_EQ(stats().stuck.Get(), 0) << "not older";
  Run(kWatchInterval);
  EXPECT_EQ(stats().stuck.Get(), 1);
  consumer_.AcceptAll();
  EXPECT_EQ(stats().stuck.Get(), 0);
}

TEST_F(StuckTest, SaysItOncePerLinkAndEpisode) {
  producer_.Send(Body("1"));
  producer_.Send(Body("2"));
  Run(kMinute);
  producer_.Send(Body("3"));
  Run(kMinute);
  ASSERT_THAT(Said(), SizeIs(1));
  EXPECT_EQ(Said()[0].address, "orders");
  EXPECT_EQ(Said()[0].link.link, producer_.link);
  EXPECT_GT(Said()[0].age, kStuckAge);
  EXPECT_EQ(stats().stuck.Get(), 3);
  consumer_.AcceptAll();
  producer_.Send(Body("4"));
  Run(kMinute);
  EXPECT_THAT(Said(), SizeIs(2)) << "another episode";
}

TEST_F(StuckTest, ForgetsWhatEndsWithItsConsumer) {
  producer_.Send(Body("1"));
  Run(kMinute);
  EXPECT_EQ(stats().stuck.Get(), 1);
  consumer_.Detach();
  EXPECT_EQ(stats().stuck.Get(), 0);
}

TEST_F(StuckTest, CountsOnWhenTheProducerHasLeft) {
  producer_.Send(Body("1"));
  Run(kMinute);
  producer_.Detach();
  EXPECT_EQ(stats().stuck.Get(), 1);
  consumer_.AcceptAll();
  EXPECT_EQ(stats().stuck.Get(), 0);
  EXPECT_EQ(stats().delayed_10s.Get(), 1u);
}

TEST_F(StuckTest, SeesAnInputThatDoesNotEnd) {
  producer_.Send(Body("1"), {.more = true});
  Run(kMinute);
  EXPECT_EQ(stats().stuck.Get(), 1);
  producer_.Abort();
  EXPECT_EQ(stats().stuck.Get(), 0);
}

// --- blocked links

TEST_F(WatchdogTest, FindsAProducerThatGetsNoCredit) {
  Peer& peer = world_.Connect();
  Producer producer = world_.Sender(peer, "nobody");
  Pass(kBlockedAge);
  Run({});
  EXPECT_EQ(stats().links_blocked.Get(), 0);
  Run(kWatchInterval);
  EXPECT_EQ(stats().links_blocked.Get(), 1);
  EXPECT_EQ(world_.shard->NextDeadline(), kNever) << "there is nothing more to find";
  Consumer consumer = world_.Receiver(peer, "nobody", 10);
  EXPECT_EQ(stats().links_blocked.Get(), 0);
  consumer.Detach();
  producer.Detach();
  EXPECT_EQ(stats().links_blocked.Get(), 0);
}

TEST_F(WatchdogTest, ForgetsABlockedProducerThatLeaves) {
  Peer& peer = world_.Connect();
  Producer producer = world_.Sender(peer, "nobody");
  Run(kMinute);
  EXPECT_EQ(stats().links_blocked.Get(), 1);
  producer.Detach();
  EXPECT_EQ(stats().links_blocked.Get(), 0);
}

TEST_F(WatchdogTest, FindsAProducerWhoseCreditIsUsedUp) {
  Peer& peer = world_.Connect({.link_capacity = 2});
  Consumer consumer = world_.Receiver(peer, "orders", 10);
  Producer producer = world_.Sender(peer, "orders");
  producer.Send(Body("1"));
  producer.Send(Body("2"));
  Run(kMinute);
  EXPECT_EQ(stats().links_blocked.Get(), 1);
  consumer.AcceptAll();
  EXPECT_EQ(stats().links_blocked.Get(), 0);
}

TEST_F(WatchdogTest, FindsAConsumerWithoutCreditForWhatWaits) {
  Peer& peer = world_.Connect();
  Consumer consumer = world_.Receiver(peer, "orders", 0);
  Producer producer = world_.Sender(peer, "orders");
  Run(kMinute);
  EXPECT_EQ(stats().links_blocked.Get(), 0) << "nothing waits";
  producer.Send(Body("m"));
  Pass(kBlockedAge);
  Run({});
  EXPECT_EQ(stats().links_blocked.Get(), 0) << "nothing has waited for so long";
  Run(kWatchInterval);
  EXPECT_EQ(stats().links_blocked.Get(), 1);
  consumer.Flow(1);
  EXPECT_EQ(stats().links_blocked.Get(), 0);
  consumer.Flow(0);
}

TEST_F(WatchdogTest, ForgetsABlockedConsumerThatLeavesOrNeedsNoCredit) {
  Peer& peer = world_.Connect();
  Consumer leaves = world_.Receiver(peer, "a", 0);
  world_.Receiver(peer, "b", 0);
  Producer to_a = world_.Sender(peer, "a");
  Producer to_b = world_.Sender(peer, "b");
  to_a.Send(Body("m"));
  to_b.Send(Body("m"), {.more = true});
  to_b.More(std::string(200 * 1024, 'x'), {.more = true});
  Run(kMinute);
  EXPECT_EQ(stats().links_blocked.Get(), 2);
  leaves.Detach();
  EXPECT_EQ(stats().links_blocked.Get(), 1);
  to_b.Abort();
  Run(kMinute);
  EXPECT_EQ(stats().links_blocked.Get(), 0);
  EXPECT_EQ(world_.shard->NextDeadline(), kNever);
}

// --- how long things take

TEST_F(StuckTest, CountsDeliveriesThatTookLong) {
  const auto after = [&](Duration time) {
    producer_.Send(Body("m"));
    Pass(time);
    consumer_.AcceptAll();
  };
  after(kDelayed);
  EXPECT_EQ(stats().delayed_1s.Get(), 0u);
  after(kDelayed + Duration{1});
  after(kVeryDelayed);
  EXPECT_EQ(stats().delayed_1s.Get(), 2u);
  EXPECT_EQ(stats().delayed_10s.Get(), 0u);
  after(kVeryDelayed + Duration{1});
  EXPECT_EQ(stats().delayed_1s.Get(), 2u);
  EXPECT_EQ(stats().delayed_10s.Get(), 1u);
}

TEST_F(StuckTest, CountsPresettledOnesThatWaited) {
  consumer_.Flow(0);
  producer_.Send(Body("m"), {.settled = true});
  Pass(Seconds(2));
  EXPECT_EQ(stats().delayed_1s.Get(), 0u);
  consumer_.Flow(1);
  Pass({});
  EXPECT_EQ(stats().delayed_1s.Get(), 1u);
}

TEST_F(StuckTest, MeasuresWhatLeavesAtOnceByTheTimeOfItsTurn) {
  world_.shard->BeginTurn(world_.now);
  for (int i = 0; i < 3; ++i) producer_.Send(Body("m"));
  world_.shard->Emit(world_.now + kMicrosecond * 20);
  EXPECT_EQ(stats().forward_duration.Count(), 3u);
  EXPECT_EQ(stats().forward_duration.In(1), 3u);
  EXPECT_EQ(stats().forward_duration.Sum(), 60'000u);
  EXPECT_EQ(stats().credit_wait.Count(), 0u);
}

TEST_F(StuckTest, MeasuresWhatWaitsForCredit) {
  consumer_.Flow(0);
  producer_.Send(Body("m"));
  Pass(Milliseconds(30));
  consumer_.Flow(1);
  Pass({});
  EXPECT_EQ(stats().forward_duration.Count(), 1u);
  EXPECT_EQ(stats().forward_duration.Sum(), 30'000'000u);
  EXPECT_EQ(stats().credit_wait.Count(), 1u);
  EXPECT_EQ(stats().credit_wait.Sum(), 30'000'000u);
}

TEST_F(StuckTest, MeasuresNoCreditWaitOfWhatWaitsForABlockedConnection) {
  peer_.sink.blocked = true;
  producer_.Send(Body("m"));
  Pass(Milliseconds(30));
  peer_.sink.blocked = false;
  peer_.Resume();
  Pass({});
  EXPECT_EQ(stats().forward_duration.Sum(), 30'000'000u);
  EXPECT_EQ(stats().credit_wait.Count(), 0u);
}

TEST_F(StuckTest, MeasuresSettlementOfEachSixteenthByOutcome) {
  for (int i = 0; i < 32; ++i) producer_.Send(Body("m"));
  world_.Turn();
  Pass(Milliseconds(2));
  for (size_t i = 0; i < 32; ++i) {
    const OutcomeKind kind = i < 16 ? OutcomeKind::kAccepted : OutcomeKind::kModified;
    consumer_.Settle(consumer_.got()[i], kind, false);
    consumer_.Settle(consumer_.got()[i], kind, true);
  }
  EXPECT_EQ(stats().settle_duration[0].Count(), 1u);
  EXPECT_EQ(stats().settle_duration[0].Sum(), 2'000'000u);
  EXPECT_EQ(stats().settle_duration[1].Count(), 0u);
  EXPECT_EQ(stats().settle_duration[3].Count(), 1u);
}

TEST_F(StuckTest, MeasuresEachSixteenthMessageByItsWholeSize) {
  peer_.next_delivery = 15;
  producer_.Send(std::string(64, 'x'));
  producer_.Send(std::string(64, 'x'));
  for (int i = 0; i < 14; ++i) producer_.Send(std::string(64, 'x'));
  peer_.next_delivery = 32;
  producer_.Send(std::string(60, 'x'), {.more = true});
  EXPECT_EQ(stats().message_size.Count(), 1u);
  producer_.More(std::string(5, 'x'));
  EXPECT_EQ(stats().message_size.In(0), 1u);
  EXPECT_EQ(stats().message_size.In(1), 1u);
  EXPECT_EQ(stats().message_size.Sum(), 129u);
}

// --- why nobody got it

TEST_F(StuckTest, TellsDroppedMessagesByTheirReason) {
  const auto dropped = [&](DropReason reason) {
    return stats().dropped[static_cast<size_t>(reason)].Get();
  };
  Peer& small = world_.Connect({.link_capacity = 2, .max_message_size = 100});
  Producer to_nobody = world_.Sender(small, {.address = {}});
  to_nobody.Send(Body("m"), {.settled = true});
  EXPECT_EQ(dropped(DropReason::kOther), 1u) << "no address";
  Consumer full = world_.Receiver(small, "full", 0);
  Producer to_full = world_.Sender(small, "full");
  for (int i = 0; i < 3; ++i) to_full.Send(Body("m"), {.settled = true});
  EXPECT_EQ(dropped(DropReason::kNoCredit), 1u);
  full.Detach();
  EXPECT_EQ(dropped(DropReason::kLinkLost), 2u);
  world_.Publish();
  to_full.Send(Body("m"), {.settled = true});
  EXPECT_EQ(dropped(DropReason::kNoConsumer), 1u);
  Producer large = world_.Sender(small, "orders");
  large.Send(std::string(101, 'x'), {.settled = true});
  EXPECT_EQ(dropped(DropReason::kMaxSize), 1u);
  EXPECT_EQ(stats().dropped_presettled.Get(), 6u);
}

// --- across shards

class FarTest : public WatchdogTest {
 protected:
  FarTest() : WatchdogTest(2) {}

  Peer& near_ = world_.Connect({}, 0);
  Peer& far_ = world_.Connect({}, 1);
  Consumer consumer_ = world_.Receiver(far_, "orders", 0);
  Producer producer_ = world_.Sender(near_, "orders");
};

TEST_F(FarTest, CountsADeliveryOnceThatIsInTwoShards) {
  producer_.Send(Body("m"));
  Run(kMinute);
  EXPECT_EQ(world_.Sum(&ShardStats::stuck), 1);
  EXPECT_EQ(world_.Sum(&ShardStats::links_blocked), 1) << "the consumer's";
  EXPECT_THAT(Said(), SizeIs(1));
  consumer_.Flow(1);
  Pass({});
  consumer_.AcceptAll();
  world_.Turn();
  EXPECT_EQ(world_.Sum(&ShardStats::stuck), 0);
  EXPECT_EQ(world_.Sum(&ShardStats::links_blocked), 0);
  EXPECT_EQ(world_.Sum(&ShardStats::delayed_10s), 1);
  EXPECT_EQ(world_.Sum(&ShardStats::delayed_1s), 0);
}

TEST_F(FarTest, MeasuresFromTheArrivalInTheOtherShard) {
  near_.next_delivery = 16;
  producer_.Send(Body("m"));
  Pass(Milliseconds(5));
  consumer_.Flow(1);
  Pass({});
  const ShardStats& far = world_.parts[1]->shard->stats();
  EXPECT_EQ(far.forward_duration.Sum(), 5'000'000u);
  EXPECT_EQ(far.credit_wait.Sum(), 5'000'000u);
  EXPECT_EQ(world_.parts[0]->shard->stats().forward_duration.Count(), 0u);
  EXPECT_EQ(stats().message_size.Count(), 1u);
  EXPECT_EQ(far.message_size.Count(), 0u);
}

}  // namespace
}  // namespace trunkline::core
