// Runs that showed bugs, told step by step: unlike a seed, they stay what they are when clients
// draw differently.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace trunkline::sim {
namespace {

using ::testing::IsEmpty;

// Places for consumers that a shard has before it makes more.
constexpr size_t kPlaces = 64;

int64_t ConsumersOf(World& world, size_t shard) {
  return world.worker(shard).shard().stats().links_out.Get();
}

// A consumer leaves while a message to it is under way from another shard, and its place is taken.
TEST(Stories, MailForAConsumerThatLeftIsNotForWhoHasItsPlace) {
  World world({.seed = 1, .shards = 2});
  Peer& from = world.Connect({.client = {.shard = 0}});
  Peer& to = world.Connect({.client = {.shard = 1}});
  Sender& sender = from.client->AddSender({.address = "work.0", .shard = 0, .capacity = 250});
  Receiver& leaves = to.client->AddReceiver({.address = "work.0", .shard = 1});
  for (size_t n = 1; n < kPlaces; ++n) {
    to.client->AddReceiver({.address = "crowd", .shard = 1});
  }
  world.Rest();

  Ring& ring = world.rings().Between(0, 1);
  ring.late = true;
  sender.Probe("work.0");
  ASSERT_TRUE(world.RunUntil([&] { return !ring.mail.empty(); }));
  leaves.Detach(true);
  ASSERT_TRUE(world.RunUntil([&] { return ConsumersOf(world, 1) == kPlaces - 1; }));
  Receiver& comes = to.client->AddReceiver({.address = "work.1", .shard = 1});
  ASSERT_TRUE(world.RunUntil([&] { return comes.attached(); }));
  ring.late = false;
  world.Rest();

  world.CheckAtRest();
  EXPECT_THAT(world.context().verdict.found(), IsEmpty());
  const Message& message = world.context().ledger.messages().at(0);
  EXPECT_THAT(message.receptions, IsEmpty());
  EXPECT_EQ(message.told, amqp::OutcomeKind::kReleased);
}

// The memory of the process is used up by what a consumer does not read, then it reads: whoever
// got no credit in the meantime gets it, in a shard that had no part in it.
TEST(Stories, CreditThatWasKeptBackComesWhenThereIsMemoryAgain) {
  World world({.seed = 1, .shards = 2, .memory_budget_bytes = 4 * BlockPool::kBlockBytes});
  Peer& from = world.Connect({});
  Peer& to = world.Connect({.client = {.session_window_bytes = 16 * 1024}});
  Peer& other = world.Connect({.client = {.shard = 1}});
  Sender& large =
      from.client->AddSender({.address = "work.0", .capacity = 250, .probe_bytes = 600'000});
  Receiver& slow = to.client->AddReceiver({.address = "work.0", .read_percent = 0});
  const auto rest = [&world] {
    for (int i = 0; i < 20; ++i) world.Rest(Mood::kWild);
  };
  rest();
  large.Probe("work.0");
  rest();
  Sender& small = other.client->AddSender({.address = "work.1", .shard = 1, .capacity = 250});
  other.client->AddReceiver({.address = "work.1", .shard = 1});
  rest();
  ASSERT_TRUE(small.attached());
  EXPECT_EQ(small.credit(), 0);

  world.Rest();  // everybody reads
  EXPECT_EQ(small.credit(), 250);
  EXPECT_FALSE(slow.over());
  world.CheckAtRest();
  EXPECT_THAT(world.context().verdict.found(), IsEmpty());
}

}  // namespace
}  // namespace trunkline::sim
