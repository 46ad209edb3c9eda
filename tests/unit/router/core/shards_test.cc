#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Shards, CrossWithOnePieceOfMailEachWay) {
  World world({.shards = 2});
  Consumer consumer = world.Receiver(world.Connect({}, 1), "orders");
  Producer producer = world.Sender(world.Connect(), "orders");
  world.Between(0, 1).late = world.Between(1, 0).late = true;
  producer.Send(Body("a"));
  EXPECT_THAT(world.Between(0, 1).mail, SizeIs(1));
  world.Between(0, 1).late = false;
  world.Turn();
  EXPECT_THAT(world.Between(1, 0).mail, IsEmpty()) << "its outcome says all";
  consumer.AcceptAll();
  EXPECT_THAT(world.Between(1, 0).mail, SizeIs(1));
  world.Between(1, 0).late = false;
  world.Turn();
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kAccepted));
  world.CheckEnd();
}

TEST(Shards, SendAMulticastOnceToEachShardAndForm) {
  World world({.default_treatment = Treatment::kMulticast, .shards = 3});
  std::vector<Consumer> consumers;
  for (const ShardId home : {0, 1, 1, 1, 2, 2}) {
    const bool strip = consumers.size() != 3;
    consumers.push_back(
        world.Receiver(world.Connect({.strip_outbound_annotations = strip}, home), "fan"));
  }
  Producer producer = world.Sender(world.Connect(), "fan");
  for (const ShardId to : {1, 2}) world.Between(0, to).late = true;
  producer.Send(Body("m"));
  EXPECT_THAT(world.Between(0, 1).mail, SizeIs(2));
  EXPECT_THAT(world.Between(0, 2).mail, SizeIs(1));
  for (const ShardId to : {1, 2}) world.Between(0, to).late = false;
  world.Turn();
  for (size_t i = 0; i < consumers.size(); ++i) {
    ASSERT_THAT(consumers[i].got(), SizeIs(1));
    EXPECT_EQ(consumers[i].got()[0].bytes == Body("m"), i != 3) << "annotated";
    EXPECT_THAT(producer.record().told, IsEmpty());
    consumers[i].AcceptAll();
  }
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kAccepted));
  world.CheckEnd();
}

TEST(Shards, ShareFairlyAmongTheConsumersOfAll) {
  for (const Treatment treatment : {Treatment::kClosest, Treatment::kBalanced}) {
    World world({.default_treatment = treatment, .shards = 3});
    std::vector<Consumer> consumers;
    for (const ShardId home : {0, 1, 1, 2}) {
      consumers.push_back(world.Receiver(world.Connect({}, home), "work"));
    }
    Producer producer = world.Sender(world.Connect(), "work");
    for (int i = 0; i < 40; ++i) producer.Send(Body("m"));
    world.Turn();
    for (const Consumer& consumer : consumers) EXPECT_THAT(consumer.got(), SizeIs(10));
    world.CheckEnd();
  }
}

TEST(Shards, CountWhatIsInTheMailWhenTheyBalance) {
  World world({.shards = 2});
  Consumer far = world.Receiver(world.Connect({}, 1), "work");
  Consumer near = world.Receiver(world.Connect(), "work");
  Producer producer = world.Sender(world.Connect(), "work");
  world.Between(0, 1).late = true;
  for (int i = 0; i < 20; ++i) producer.Send(Body("m"));
  world.Turn();
  EXPECT_THAT(near.got(), SizeIs(10));
  world.Between(0, 1).late = false;
  world.Turn();
  EXPECT_THAT(far.got(), SizeIs(10));
  const auto& up = std::get<ConsumerUp>(world.notices[0]);
  EXPECT_EQ(up.load->mailed(), 0);
  EXPECT_EQ(up.load->Get(), 10);
  world.CheckEnd();
}

TEST(Shards, FreeTheWindowOfWhatIsSentButNotSettledBeforeItIsFull) {
  World world({.shards = 2});
  world.Receiver(world.Connect({}, 1), "orders", 1000);
  Producer producer = world.Sender(world.Connect({.session_window_bytes = 64 * 1024}), "orders");
  uint64_t sent = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string message = Body(std::string(5000, 'm'));
    producer.Send(message);
    sent += message.size();
    world.Turn();
    ASSERT_LE(sent - producer.record().released, 32u * 1024) << "the rest is open";
  }
  EXPECT_THAT(producer.record().told, IsEmpty());
  world.CheckEnd();
}

TEST(Shards, SendBlocksHomeWithOtherMailOrWhenTheyAreMany) {
  World world({.shards = 2});
  world.Receiver(world.Connect({}, 1), "orders");
  Producer producer = world.Sender(world.Connect(), "orders");
  const auto returns = [&] {
    size_t n = 0;
    for (const Envelope& mail : world.Between(1, 0).mail)
      n += std::holds_alternative<Returns>(mail);
    return n;
  };
  world.Between(1, 0).late = true;
  for (int i = 0; i < 15; ++i) {
    world.Between(0, 1).late = true;
    producer.Send(Body(std::string(1000, 'm')));
    world.Between(0, 1).late = false;
    world.Turn();
  }
  EXPECT_EQ(returns(), 0u);
  producer.Send(Body(std::string(1000, 'm')));
  world.Turn();
  EXPECT_EQ(returns(), 1u) << "sixteen";
  producer.Send(Body(std::string(1000, 'm')));
  world.Turn();
  EXPECT_EQ(returns(), 1u);
  world.parts[1]->shard->Trim();
  world.Between(1, 0).late = false;
  world.Turn();
  EXPECT_EQ(world.pool.bytes_in_use(), 0u) << "in idle times all go";
  world.CheckEnd();
}

TEST(Shards, EndWithoutOrderWhenThreadsStop) {
  World world({.shards = 3});
  Consumer consumer = world.Receiver(world.Connect({}, 1), "orders", 2);
  world.Receiver(world.Connect({}, 2), AttachRequest{.address = "fan"});
  Producer producer = world.Sender(world.Connect(), "orders");
  for (int i = 0; i < 3; ++i) producer.Send(Body(std::string(2000, 'q')));
  world.Turn();
  producer.Send(Body(std::string(300'000, 's')), {.more = true});
  world.Between(0, 1).late = true;
  producer.More(std::string(100'000, 's'), {.more = true});
  world.Between(1, 0).late = true;
  consumer.AcceptAll();
  consumer.Detach();
  world.Between(0, 1).late = false;
  world.Carry();  // bounces on their way, and blocks
}

TEST(Pressure, StopsCreditAndPaysItLater) {
  World world;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  world.shard->SetPressure(true);
  for (int i = 0; i < 3; ++i) producer.Send(Body("m"));
  world.Turn();
  consumer.AcceptAll();
  Producer late = world.Sender(peer, "orders");
  world.Turn();
  EXPECT_EQ(producer.record().credit, 247u);
  EXPECT_EQ(late.record().credit, 0u);
  world.shard->SetPressure(false);
  world.Turn();
  EXPECT_EQ(producer.record().credit, 250u);
  EXPECT_EQ(late.record().credit, 250u);
}

TEST(Pressure, PaysALimitedNumberOfLinksPerTurn) {
  World world;
  Peer& peer = world.Connect();
  world.Receiver(peer, "orders");
  world.shard->SetPressure(true);
  std::vector<Producer> producers;
  for (int i = 0; i < 1025; ++i) producers.push_back(world.Sender(peer, "orders"));
  producers[3].Detach();
  world.shard->SetPressure(false);
  EXPECT_TRUE(world.shard->Emit(Time{})) << "there is more to do";
  const auto paid = [&] {
    size_t n = 0;
    for (const Producer& producer : producers) n += producer.record().credit == 250;
    return n;
  };
  EXPECT_EQ(paid(), 1023u) << "one of them is gone";
  world.Turn();
  EXPECT_EQ(paid(), 1024u);
}

}  // namespace
}  // namespace trunkline::core
