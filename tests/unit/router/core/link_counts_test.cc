#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/unit/router/core/shard_world.h"

// What is known of each link, for whoever looks.
namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uint32_t kAll = 1u << 20;

std::vector<const InLink*> InLinks(Shard& shard, uint32_t slots = kAll) {
  std::vector<const InLink*> links;
  uint32_t at = 0;
  do {
    at = shard.WalkInLinks(at, slots, [&](const InLink& link) { links.push_back(&link); });
  } while (at != 0);
  return links;
}

std::vector<const OutLink*> OutLinks(Shard& shard) {
  std::vector<const OutLink*> links;
  shard.WalkOutLinks(0, kAll, [&](const OutLink& link) { links.push_back(&link); });
  return links;
}

uint64_t Outcomes(const LinkCounts& counts, OutcomeKind kind) {
  return counts.outcomes[static_cast<size_t>(kind)];
}

// One producer and one consumer, on connections of their own, perhaps in different shards.
class LinkCountsTest : public testing::TestWithParam<size_t> {
 protected:
  ~LinkCountsTest() override { world_.CheckEnd(); }

  const InLink& in() { return *InLinks(near_.shard()).at(0); }
  const OutLink& out() { return *OutLinks(far_.shard()).at(0); }

  World world_{{.shards = GetParam()}};
  Peer& near_ = world_.Connect();
  Peer& far_ = world_.Connect({}, static_cast<ShardId>(GetParam() - 1));
  Consumer consumer_ = world_.Receiver(far_, "orders");
  Producer producer_ = world_.Sender(near_, "orders");
};
INSTANTIATE_TEST_SUITE_P(Shards, LinkCountsTest, testing::Values(1, 2));

TEST_P(LinkCountsTest, AddUpToWhatWasSentAndSettled) {
  const std::vector<OutcomeKind> kinds = {OutcomeKind::kAccepted, OutcomeKind::kAccepted,
                                          OutcomeKind::kRejected, OutcomeKind::kReleased,
                                          OutcomeKind::kModified};
  for (const OutcomeKind kind : kinds) {
    producer_.Send(Body("a"));
    world_.Turn();
    consumer_.Settle(consumer_.got().back(), kind);
    world_.Turn();
  }
  for (const LinkCounts* counts : {&in().counts, &out().counts}) {
    EXPECT_EQ(counts->deliveries, 5u);
    EXPECT_EQ(counts->presettled, 0u);
    EXPECT_EQ(Outcomes(*counts, OutcomeKind::kAccepted), 2u);
    EXPECT_EQ(Outcomes(*counts, OutcomeKind::kRejected), 1u);
    EXPECT_EQ(Outcomes(*counts, OutcomeKind::kReleased), 1u);
    EXPECT_EQ(Outcomes(*counts, OutcomeKind::kModified), 1u);
  }
  EXPECT_EQ(in().Unfinished(), 0u);
}

TEST_P(LinkCountsTest, CountAnOutcomeOnceThatIsToldTwice) {
  producer_.Send(Body("a"));
  world_.Turn();
  consumer_.Settle(consumer_.got()[0], OutcomeKind::kAccepted, false);
  consumer_.Settle(consumer_.got()[0], OutcomeKind::kAccepted, true);
  world_.Turn();
  EXPECT_EQ(Outcomes(in().counts, OutcomeKind::kAccepted), 1u);
  EXPECT_EQ(Outcomes(out().counts, OutcomeKind::kAccepted), 1u);
}

TEST_P(LinkCountsTest, KnowWhatIsUnderWay) {
  for (int i = 0; i < 3; ++i) producer_.Send(Body("a"));
  world_.Turn();
  EXPECT_EQ(in().Unfinished(), 3u);
  EXPECT_EQ(out().unsettled, 3u);
  consumer_.AcceptAll();
  world_.Turn();
  EXPECT_EQ(in().Unfinished(), 0u);
  EXPECT_EQ(out().unsettled, 0u);
}

TEST_P(LinkCountsTest, TellPresettledOnesApart) {
  producer_.Send(Body("a"), {.settled = true});
  producer_.Send(Body("b"));
  world_.Turn();
  EXPECT_EQ(in().counts.deliveries, 2u);
  EXPECT_EQ(in().counts.presettled, 1u);
  EXPECT_EQ(out().counts.deliveries, 2u);
  EXPECT_EQ(out().counts.presettled, 1u);
}

TEST_P(LinkCountsTest, CountThePresettledOnesThatNobodyGot) {
  consumer_.Detach();
  world_.Turn();
  producer_.Send(Body("a"), {.settled = true});
  world_.Turn();
  EXPECT_EQ(in().counts.dropped, 1u);
}

TEST_P(LinkCountsTest, BelongToTheirConnection) {
  EXPECT_EQ(near_.shard().Find(near_.connection)->in_link_count, 1u);
  EXPECT_EQ(near_.shard().Find(near_.connection)->out_link_count, 0u);
  EXPECT_EQ(far_.shard().Find(far_.connection)->out_link_count, 1u);
  Producer second = world_.Sender(near_, "orders");
  EXPECT_EQ(near_.shard().Find(near_.connection)->in_link_count, 2u);
  second.Detach();
  consumer_.Detach();
  EXPECT_EQ(near_.shard().Find(near_.connection)->in_link_count, 1u);
  EXPECT_EQ(far_.shard().Find(far_.connection)->out_link_count, 0u);
}

// --- names and numbers

TEST(Links, HaveNumbersThatNoOtherEverHas) {
  World world({.shards = 2});
  std::map<uint64_t, int> numbers;
  for (ShardId home = 0; home < 2; ++home) {
    Peer& peer = world.Connect({}, home);
    for (int round = 0; round < 3; ++round) {
      Producer producer = world.Sender(peer, "orders");
      Consumer consumer = world.Receiver(peer, "orders");
      for (const InLink* link : InLinks(peer.shard())) ++numbers[link->number];
      for (const OutLink* link : OutLinks(peer.shard())) ++numbers[link->number];
      producer.Detach();
      consumer.Detach();
    }
  }
  EXPECT_THAT(numbers, SizeIs(12));
  EXPECT_FALSE(numbers.contains(0));
}

TEST(Links, KeepTheirNameUpToItsLimit) {
  World world;
  Peer& peer = world.Connect();
  const std::string name(kLinkNameKept, 'n');
  world.Sender(peer, AttachRequest{.name = name, .address = "a"});
  EXPECT_EQ(InLinks(peer.shard()).at(0)->name, name);
  world.Receiver(peer, AttachRequest{.name = name + "x", .address = "a"});
  EXPECT_EQ(OutLinks(peer.shard()).at(0)->name, name);
}

TEST(Links, AreSeenOnceEachInParts) {
  World world;
  Peer& peer = world.Connect();
  for (int i = 0; i < 200; ++i) world.Sender(peer, "orders");
  EXPECT_THAT(InLinks(peer.shard(), 7), SizeIs(200));
}

// --- ended by their number

TEST_P(LinkCountsTest, AProducerIsDetachedByItsNumber) {
  producer_.Send(Body("a"));
  world_.Turn();
  near_.shard().DetachLink(*in().connection, in().number,
                           {.name = "amqp:link:detach-forced", .description = "bye"});
  ASSERT_THAT(producer_.record().detached, SizeIs(1));
  EXPECT_EQ(producer_.record().detached[0].name, "amqp:link:detach-forced");
  EXPECT_EQ(producer_.record().detached[0].description, "bye");
  EXPECT_THAT(InLinks(near_.shard()), IsEmpty());
  // What it had sent goes its way.
  consumer_.AcceptAll();
  EXPECT_THAT(consumer_.Texts(), ElementsAre("a"));
}

TEST_P(LinkCountsTest, AConsumerIsDetachedByItsNumber) {
  producer_.Send(Body("a"));
  world_.Turn();
  far_.shard().DetachLink(*out().connection, out().number, {.name = "amqp:link:detach-forced"});
  world_.Turn();
  ASSERT_THAT(consumer_.record().detached, SizeIs(1));
  EXPECT_THAT(OutLinks(far_.shard()), IsEmpty());
  // As when it leaves by itself: what was sent to it may have been used.
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kModified));
}

TEST_P(LinkCountsTest, NobodyIsDetachedByANumberThatIsNot) {
  near_.shard().DetachLink(*in().connection, in().number + kShardsMax,
                           {.name = "amqp:link:detach-forced"});
  EXPECT_THAT(producer_.record().detached, IsEmpty());
  EXPECT_THAT(InLinks(near_.shard()), SizeIs(1));
}

TEST_P(LinkCountsTest, NobodyIsDetachedByANumberOfAnotherConnection) {
  Peer& other = world_.Connect();
  const Producer sender = world_.Sender(other, "elsewhere");
  const Connection& connection = *InLinks(other.shard()).back()->connection;
  ASSERT_NE(&connection, in().connection);
  near_.shard().DetachLink(connection, in().number, {.name = "amqp:link:detach-forced"});
  EXPECT_THAT(producer_.record().detached, IsEmpty());
  EXPECT_THAT(sender.record().detached, IsEmpty());
}

}  // namespace
}  // namespace trunkline::core
