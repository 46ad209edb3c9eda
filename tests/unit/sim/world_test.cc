#include "tests/sim/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace trunkline::sim {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kBlock = BlockPool::kBlockBytes;

// Blocks that somebody keeps.
class Blocks {
 public:
  ~Blocks() {
    for (Block* block : blocks_) BlockPool::Unref(block);
  }
  void Take(BlockPool& pool, size_t count) {
    for (; count > 0; --count) blocks_.push_back(pool.Take());
  }

 private:
  std::vector<Block*> blocks_;
};

// --- memory

class MemoryTest : public ::testing::Test {
 protected:
  World world_{{.seed = 7, .shards = 2}};
  Verdict& verdict_ = world_.context().verdict;
  Memory memory_{verdict_};
  Blocks blocks_;
};

TEST_F(MemoryTest, AllowsWhatTheFormulaSaysAndNotABlockMore) {
  // One to read into, and as many as there may be deliveries.
  const Memory::Allowance allowance{.credit = 3};
  blocks_.Take(world_.worker(0).pool(), 4);
  memory_.OnTurn(world_.worker(0), allowance);
  EXPECT_THAT(verdict_.found(), IsEmpty());
  blocks_.Take(world_.worker(0).pool(), 1);
  memory_.OnTurn(world_.worker(0), allowance);
  EXPECT_THAT(verdict_.found(), ElementsAre(HasSubstr("memory: worker 0 uses")));
}

TEST_F(MemoryTest, AllowsTwiceTheWindowsOfSessions) {
  const Memory::Allowance allowance{.sessions = 2, .window_bytes = 2 * kBlock};
  blocks_.Take(world_.worker(0).pool(), 5);
  memory_.OnTurn(world_.worker(0), allowance);
  EXPECT_THAT(verdict_.found(), IsEmpty());
  blocks_.Take(world_.worker(0).pool(), 1);
  memory_.OnTurn(world_.worker(0), allowance);
  EXPECT_THAT(verdict_.found(), ElementsAre(HasSubstr("memory: worker 0 uses")));
}

TEST_F(MemoryTest, LooksAfterEveryTurn) {
  blocks_.Take(world_.worker(1).pool(), 2);
  world_.TurnWorker(1);
  EXPECT_THAT(verdict_.found(), ElementsAre(HasSubstr("memory: worker 1 uses")));
}

TEST_F(MemoryTest, SeesABlockThatIsLeftAtTheEnd) {
  blocks_.Take(world_.worker(1).pool(), 1);
  world_.CheckEmpty();
  EXPECT_THAT(verdict_.found(), ElementsAre(HasSubstr("leak: worker 1 keeps 65536 bytes")));
}

TEST_F(MemoryTest, SeesLinksAndConnectionsThatAreLeftAtTheEnd) {
  Peer& peer = world_.Connect({.client = {.shard = 1}});
  peer.client->AddSender({.address = "work.0", .shard = 1, .capacity = 250});
  peer.client->AddReceiver({.address = "work.0", .shard = 1});
  world_.Rest();
  ASSERT_THAT(verdict_.found(), IsEmpty());
  memory_.AtEnd(world_.worker(1));
  EXPECT_THAT(
      verdict_.found(),
      AllOf(Each(HasSubstr("leak: worker 1 keeps")), Contains(HasSubstr("1 incoming links")),
            Contains(HasSubstr("1 outgoing links")), Contains(HasSubstr("1 connections"))));
}

TEST_F(MemoryTest, FindsNothingWhenAllAreGone) {
  Peer& peer = world_.Connect({.client = {.shard = 1}});
  peer.client->AddSender({.address = "work.0", .shard = 1, .messages = 5, .capacity = 250});
  peer.client->AddReceiver({.address = "work.0", .shard = 1});
  world_.Rest(Mood::kWild);
  peer.client->Close();
  world_.Rest();
  world_.CheckEmpty();
  EXPECT_THAT(verdict_.found(), IsEmpty());
}

// --- what the world itself looks for

class WorldTest : public ::testing::Test {
 protected:
  WorldTest() {
    peer_.client->AddSender({.address = "work.0", .shard = 0, .capacity = 250});
    peer_.client->AddReceiver({.address = "work.0", .shard = 0});
    world_.Rest();
    world_.CheckAtRest();
    EXPECT_THAT(verdict_.found(), IsEmpty());
  }

  World world_{{.seed = 7, .shards = 2}};
  Verdict& verdict_ = world_.context().verdict;
  Peer& peer_ = world_.Connect({});
};

TEST_F(WorldTest, SeesATableThatLacksAConsumer) {
  ConsumerLink& consumer = world_.context().ledger.AddConsumer();
  consumer.address = "work.0";
  consumer.shard = 1;
  consumer.attached = true;
  world_.CheckAtRest();
  EXPECT_THAT(verdict_.found(), ElementsAre(HasSubstr("tables: ")));
}

TEST_F(WorldTest, SeesATableThatKeepsAConsumer) {
  peer_.client->receivers()[0].link().alive = false;
  world_.CheckAtRest();
  EXPECT_THAT(verdict_.found(), ElementsAre(HasSubstr("tables: 1 addresses, not 0")));
}

TEST_F(WorldTest, SeesAConsumerWithoutAnswer) {
  peer_.client->receivers()[0].link().attached = false;
  world_.CheckAtRest();
  EXPECT_THAT(verdict_.found(), ElementsAre(HasSubstr("tables: consumer 0 is not answered")));
}

TEST_F(WorldTest, SeesAProducerWithoutCredit) {
  peer_.client->senders()[0].link().capacity = 1000;
  world_.CheckAtRest();
  EXPECT_THAT(verdict_.found(), ElementsAre(HasSubstr("credit: producer 0 has credit for 250")));
}

TEST_F(WorldTest, SeesMailThatNobodyTakes) {
  peer_.client->Close();
  world_.Rest();
  world_.rings().Between(0, 1).mail.emplace_back();
  world_.rings().Between(0, 1).late = true;
  world_.CheckEmpty();
  EXPECT_THAT(verdict_.found(), ElementsAre(HasSubstr("leak: 1 mails")));
}

// A producer sends and a consumer of another shard gets it, with every byte as it was.
TEST(World, DeliversAcrossShards) {
  World world({.seed = 7, .shards = 2});
  Peer& from = world.Connect({.client = {.shard = 0}});
  Peer& to = world.Connect({.client = {.shard = 1}});
  Sender& sender = from.client->AddSender({.address = "work.0", .shard = 0, .capacity = 250});
  to.client->AddReceiver({.address = "work.0", .shard = 1});
  for (int i = 0; i < 20; ++i) sender.Probe("work.0");
  world.Rest();
  world.CheckAtRest();
  EXPECT_THAT(world.context().verdict.found(), IsEmpty());
  ASSERT_EQ(world.context().ledger.messages().size(), 20);
  for (const Message& message : world.context().ledger.messages()) {
    EXPECT_EQ(message.receptions.size(), 1);
  }
}

}  // namespace
}  // namespace trunkline::sim
