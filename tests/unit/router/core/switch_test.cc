#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/router/core/shard_world.h"

// Links that are disabled, and enabled again.
namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Everything is in shard 0, but for what says that it is far.
class SwitchTest : public testing::Test {
 protected:
  ~SwitchTest() override { world_.CheckEnd(); }

  Shard& At(const Peer& peer) { return *world_.parts[peer.home]->shard; }
  // Calls `visit(connection, number)` for a link.
  template <typename Visit>
  static void Name(Shard& shard, Handle<OutLink> handle, Visit visit) {
    const OutLink* found = nullptr;
    shard.WalkOutLinks(handle.index, 1, [&](const OutLink& link) { found = &link; });
    visit(*found->connection, found->number);
  }
  template <typename Visit>
  static void Name(Shard& shard, Handle<InLink> handle, Visit visit) {
    const InLink* found = nullptr;
    shard.WalkInLinks(handle.index, 1, [&](const InLink& link) { found = &link; });
    visit(*found->connection, found->number);
  }
  template <typename Client>
  void Disable(const Client& client) {
    Shard& shard = At(*client.peer);
    Name(shard, client.link, [&](const Connection& connection, uint64_t number) {
      shard.DisableLink(connection, number);
    });
  }
  template <typename Client>
  void Enable(const Client& client) {
    Shard& shard = At(*client.peer);
    Name(shard, client.link, [&](const Connection& connection, uint64_t number) {
      shard.EnableLink(connection, number);
    });
  }
  // As Disable, and all know it.
  void DisableForAll(const Consumer& consumer) {
    Disable(consumer);
    world_.Turn();
  }
  void Send(Producer& producer, const std::vector<std::string>& texts, SendOptions options = {}) {
    for (const std::string& text : texts) producer.Send(Body(text), options);
    world_.Turn();
  }

  World world_{{.settings = {{.pattern = "near", .treatment = Treatment::kClosest},
                             {.pattern = "fan", .treatment = Treatment::kMulticast}},
                .shards = 3,
                .watch_interval = kSecond * 30}};
  Peer& peer_ = world_.Connect();
  Peer& far_ = world_.Connect({}, 1);
};

// --- consumers

TEST_F(SwitchTest, AConsumerGetsNothingWhileOthersGetAll) {
  for (const std::string address : {"orders", "near"}) {
    Consumer off = world_.Receiver(peer_, address);
    Consumer on = world_.Receiver(peer_, address);
    Producer producer = world_.Sender(peer_, address);
    DisableForAll(off);
    Send(producer, {"1", "2", "3", "4"});
    EXPECT_THAT(off.got(), IsEmpty()) << address;
    EXPECT_THAT(on.Texts(), ElementsAre("1", "2", "3", "4")) << address;
    on.AcceptAll();
    Enable(off);
    world_.Turn();
    Send(producer, {"5", "6"});
    EXPECT_THAT(off.got(), SizeIs(1)) << address;
    on.AcceptAll();
    off.AcceptAll();
    EXPECT_THAT(producer.Outcomes(), Each(OutcomeKind::kAccepted));
    EXPECT_THAT(producer.Outcomes(), SizeIs(6));
  }
}

TEST_F(SwitchTest, AConsumerOfAnotherShardGetsNothingWhileOthersGetAll) {
  Consumer off = world_.Receiver(far_, "orders");
  Consumer on = world_.Receiver(world_.Connect({}, 2), "orders");
  Producer producer = world_.Sender(peer_, "orders");
  DisableForAll(off);
  Send(producer, {"1", "2", "3", "4"});
  EXPECT_THAT(off.got(), IsEmpty());
  EXPECT_THAT(on.Texts(), ElementsAre("1", "2", "3", "4"));
  Enable(off);
  world_.Turn();
  Send(producer, {"5", "6"});
  EXPECT_FALSE(off.got().empty());
}

TEST_F(SwitchTest, MessagesWaitForTheOnlyConsumer) {
  Consumer consumer = world_.Receiver(peer_, "orders");
  Producer producer = world_.Sender(peer_, "orders");
  DisableForAll(consumer);
  Send(producer, {"1", "2"});
  Send(producer, {"3"}, {.settled = true});
  EXPECT_THAT(consumer.got(), IsEmpty());
  EXPECT_THAT(producer.Outcomes(), IsEmpty());
  Enable(consumer);
  world_.Turn();
  EXPECT_THAT(consumer.Texts(), ElementsAre("1", "2", "3"));
}

TEST_F(SwitchTest, MessagesWaitWhenAllConsumersAreDisabled) {
  Consumer one = world_.Receiver(peer_, "orders");
  Consumer two = world_.Receiver(far_, "orders");
  Producer producer = world_.Sender(peer_, "orders");
  DisableForAll(one);
  DisableForAll(two);
  Send(producer, {"1", "2"});
  EXPECT_THAT(producer.Outcomes(), IsEmpty());
  Enable(two);
  world_.Turn();
  // What waited for the other one was released, as there is somebody who takes it.
  two.AcceptAll();
  world_.Turn();
  EXPECT_THAT(producer.Outcomes(), SizeIs(2));
  EXPECT_EQ(world_.Sum(&ShardStats::undelivered), 0);
  EXPECT_THAT(one.got(), IsEmpty());
}

TEST_F(SwitchTest, WhatWaitedIsReleasedWhenOthersTakeItButPresettledStays) {
  Consumer slow = world_.Receiver(peer_, "orders", 0);
  Producer producer = world_.Sender(peer_, "orders");
  Send(producer, {"1", "2"});
  Send(producer, {"3"}, {.settled = true});
  Consumer other = world_.Receiver(peer_, "orders");
  DisableForAll(slow);
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kReleased, OutcomeKind::kReleased));
  EXPECT_EQ(world_.Sum(&ShardStats::undelivered), 1);
  slow.Flow(10);
  world_.Turn();
  EXPECT_THAT(slow.got(), IsEmpty());
  Enable(slow);
  world_.Turn();
  EXPECT_THAT(slow.Texts(), ElementsAre("3"));
  EXPECT_THAT(other.got(), IsEmpty());
}

TEST_F(SwitchTest, WhatIsOnItsWayFromAnotherShardIsReleasedToo) {
  Consumer off = world_.Receiver(far_, "orders");
  Producer producer = world_.Sender(peer_, "orders");
  Consumer on = world_.Receiver(peer_, "orders");
  world_.Between(0, 1).late = true;
  producer.Send(Body("1"));
  producer.Send(Body("2"));
  Disable(off);
  world_.Turn();
  world_.Between(0, 1).late = false;
  world_.Turn();
  EXPECT_THAT(off.got(), IsEmpty());
  on.AcceptAll();
  EXPECT_THAT(producer.Outcomes(),
              testing::UnorderedElementsAre(OutcomeKind::kReleased, OutcomeKind::kAccepted));
}

TEST_F(SwitchTest, AMulticastGoesToTheOthers) {
  Consumer off = world_.Receiver(peer_, "fan");
  Consumer near = world_.Receiver(peer_, "fan");
  Consumer far = world_.Receiver(far_, "fan");
  Producer producer = world_.Sender(peer_, "fan");
  DisableForAll(off);
  Send(producer, {"1"});
  EXPECT_THAT(off.got(), IsEmpty());
  near.AcceptAll();
  far.AcceptAll();
  world_.Turn();
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kAccepted));
}

TEST_F(SwitchTest, WhatIsUnderWayIsFinished) {
  Consumer consumer = world_.Receiver(peer_, "orders");
  Producer producer = world_.Sender(peer_, "orders");
  producer.Send(Body("sent"));
  world_.Turn();
  const std::string message = Body(std::string(1000, 'x'));
  producer.Send(message.substr(0, 500), {.more = true});
  world_.Turn();
  // A message that is half here is sent when there is enough of it; let it begin.
  producer.More(std::string(200'000, 'y'), {.more = true});
  world_.Turn();
  ASSERT_THAT(consumer.got(), SizeIs(2));
  ASSERT_FALSE(consumer.got()[1].complete);
  DisableForAll(consumer);
  producer.More("end");
  Send(producer, {"next"});
  ASSERT_THAT(consumer.got(), SizeIs(2));
  EXPECT_TRUE(consumer.got()[1].complete);
  EXPECT_TRUE(consumer.got()[1].bytes.ends_with("end"));
  consumer.AcceptAll();
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kAccepted, OutcomeKind::kAccepted));
  Enable(consumer);
  world_.Turn();
  EXPECT_THAT(consumer.got(), SizeIs(3));
}

TEST_F(SwitchTest, TheCreditOfAConsumerIsKept) {
  Consumer consumer = world_.Receiver(peer_, "orders", 2);
  Producer producer = world_.Sender(peer_, "orders");
  Send(producer, {"1"});
  DisableForAll(consumer);
  Send(producer, {"2", "3", "4", "5"});
  Enable(consumer);
  world_.Turn();
  EXPECT_THAT(consumer.Texts(), ElementsAre("1", "2")) << "what it had";
  DisableForAll(consumer);
  consumer.Flow(2);
  world_.Turn();
  EXPECT_THAT(consumer.Texts(), ElementsAre("1", "2"));
  Enable(consumer);
  world_.Turn();
  EXPECT_THAT(consumer.Texts(), ElementsAre("1", "2", "3", "4")) << "what it said meanwhile";
}

TEST_F(SwitchTest, ADrainUsesUpTheCreditOfADisabledConsumer) {
  Consumer consumer = world_.Receiver(peer_, "orders", 5);
  Producer producer = world_.Sender(peer_, "orders");
  DisableForAll(consumer);
  Send(producer, {"1"});
  consumer.Flow(5, true);
  world_.Turn();
  EXPECT_EQ(consumer.record().drained, 1);
  EXPECT_THAT(consumer.got(), IsEmpty());
  world_.shard->WalkOutLinks(consumer.link.index, 1,
                             [](const OutLink& link) { EXPECT_EQ(link.kept_credit, 0u); });
  Enable(consumer);
  world_.Turn();
  EXPECT_THAT(consumer.got(), IsEmpty()) << "it has no credit";
  consumer.Flow(1);
  world_.Turn();
  EXPECT_THAT(consumer.Texts(), ElementsAre("1"));
}

TEST_F(SwitchTest, ADrainIsAnsweredWhenItsConsumerIsDisabled) {
  Consumer consumer = world_.Receiver(peer_, "orders", 5);
  Producer producer = world_.Sender(peer_, "orders");
  peer_.sink.blocked = true;
  Send(producer, {"1"});
  consumer.Flow(5, true);
  Disable(consumer);
  peer_.sink.blocked = false;
  peer_.Resume();
  world_.Turn();
  EXPECT_EQ(consumer.record().drained, 1);
  EXPECT_THAT(consumer.got(), IsEmpty());
}

TEST_F(SwitchTest, AConsumerThatLeavesIsForgotten) {
  Consumer off = world_.Receiver(peer_, "orders");
  Producer producer = world_.Sender(peer_, "orders");
  DisableForAll(off);
  Send(producer, {"1"});
  off.Detach();
  world_.Turn();
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kReleased));
  Consumer next = world_.Receiver(peer_, "orders");
  Send(producer, {"2"});
  EXPECT_THAT(next.Texts(), ElementsAre("2")) << "whoever attaches is enabled";
}

TEST_F(SwitchTest, SettingWhatIsSetSaysNothing) {
  Consumer consumer = world_.Receiver(peer_, "orders");
  Producer producer = world_.Sender(peer_, "orders");
  Enable(consumer);
  Enable(producer);
  world_.Publish();
  EXPECT_THAT(world_.notices, SizeIs(1));
  Disable(consumer);
  Disable(consumer);
  Disable(producer);
  Disable(producer);
  world_.Publish();
  EXPECT_THAT(world_.notices, SizeIs(2));
  EXPECT_TRUE(producer.record().taken);
  Enable(consumer);
  Enable(consumer);
  Enable(producer);
  Enable(producer);
  world_.Publish();
  EXPECT_THAT(world_.notices, SizeIs(3));
  EXPECT_FALSE(producer.record().taken);
}

// --- producers

TEST_F(SwitchTest, AProducerIsGrantedNothingUntilItIsEnabled) {
  Consumer consumer = world_.Receiver(peer_, "orders");
  Producer producer = world_.Sender(peer_, "orders");
  ASSERT_EQ(producer.record().granted, 250u);
  Disable(producer);
  EXPECT_TRUE(producer.record().taken);
  // On its way when the credit was taken.
  Send(producer, {"1", "2"});
  consumer.AcceptAll();
  world_.Turn();
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kAccepted, OutcomeKind::kAccepted));
  EXPECT_EQ(producer.record().granted, 250u);
  Enable(producer);
  EXPECT_FALSE(producer.record().taken);
  EXPECT_EQ(producer.record().granted, 252u);
}

TEST_F(SwitchTest, AnAnonymousProducerIsGrantedNothingUntilItIsEnabled) {
  Producer producer = world_.Sender(peer_, AttachRequest{});
  Disable(producer);
  producer.Send(Body("to nobody"));
  EXPECT_EQ(producer.record().granted, 250u);
  Enable(producer);
  EXPECT_EQ(producer.record().granted, 251u);
}

TEST_F(SwitchTest, AProducerIsGrantedNothingByTheFirstConsumer) {
  Producer producer = world_.Sender(peer_, "orders");
  Disable(producer);
  world_.Receiver(peer_, "orders");
  EXPECT_EQ(producer.record().granted, 0u);
  Enable(producer);
  EXPECT_EQ(producer.record().granted, 250u);
}

TEST_F(SwitchTest, ALinkThatIsDisabledIsNotBlocked) {
  Producer producer = world_.Sender(peer_, "nobody");
  Consumer consumer = world_.Receiver(peer_, "orders", 0);
  Producer other = world_.Sender(peer_, "orders");
  Send(other, {"1"});
  const auto pass = [&](Duration time) {
    world_.now = world_.now + time;
    for (int i = 0; i < 10; ++i) world_.Turn();
  };
  pass(kSecond * 30);
  pass(kSecond * 30);
  ASSERT_EQ(world_.Sum(&ShardStats::links_blocked), 2);
  Disable(producer);
  Disable(consumer);
  EXPECT_EQ(world_.Sum(&ShardStats::links_blocked), 0);
  pass(kSecond * 30);
  pass(kSecond * 30);
  EXPECT_EQ(world_.Sum(&ShardStats::links_blocked), 0);
  Enable(producer);
  Enable(consumer);
  pass(kSecond * 30);
  pass(kSecond * 30);
  EXPECT_EQ(world_.Sum(&ShardStats::links_blocked), 2);
}

}  // namespace
}  // namespace trunkline::core
