#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include <string>
#include <vector>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::ElementsAre;
using testing::SizeIs;

constexpr uint64_t kHold = 128 * 1024;

int64_t ThreadTime() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// One consumer, and a message for it of which half is here: all that follows has to wait.
class ReliefTest : public testing::Test {
 protected:
  ~ReliefTest() override { world_.CheckEnd(); }

  Peer& Connect(uint32_t window = 1u << 20) {
    return world_.Connect({.link_capacity = 100'000, .session_window_bytes = window});
  }
  void BeginHead() {
    head_.Send(Body(std::string(kHold, 'h')), {.more = true});
    world_.Turn();
  }

  World world_;
  Peer& far_ = world_.Connect();
  Consumer consumer_ = world_.Receiver(far_, "orders", 1'000'000);
  Producer head_ = world_.Sender(Connect(), "orders");
};

TEST_F(ReliefTest, LooksAtWhatWaitsOnlyOnce) {
  BeginHead();
  Producer tail = world_.Sender(Connect(), "orders");
  const auto time_turns = [&] {
    const int64_t before = ThreadTime();
    for (int i = 0; i < 200; ++i) {
      tail.Send(Body("one more"));
      world_.Turn();
    }
    return ThreadTime() - before;
  };
  tail.SendMany(500, Body("behind"));
  world_.Turn();
  const int64_t few = time_turns();
  tail.SendMany(60'000, Body("behind"));
  world_.Turn();
  EXPECT_LT(time_turns(), 10 * few) << "turns get longer with what waits";
}

TEST_F(ReliefTest, MakesRoomALittleInEachTurn) {
  Producer tail = world_.Sender(Connect(64 * 1024), "orders");
  const std::string message = Body(std::string(992, 't'));
  BeginHead();
  tail.SendMany(2'000, message);
  EXPECT_TRUE(world_.shard->Emit(world_.now));
  EXPECT_LE(tail.record().released, 300 * message.size());
  EXPECT_GT(tail.record().released, 0u);
  world_.Turn();
  EXPECT_LE(2'000 * message.size() - tail.record().released, 32u * 1024);
  EXPECT_FALSE(world_.shard->Emit(world_.now));
}

TEST_F(ReliefTest, MakesRoomForEachConnectionByItself) {
  Producer wide = world_.Sender(Connect(), "orders");
  Producer narrow = world_.Sender(Connect(64 * 1024), "orders");
  BeginHead();
  wide.Send(Body(std::string(40'000, 'w')));
  narrow.Send(Body(std::string(40'000, 'n')));
  world_.Turn();
  EXPECT_EQ(wide.record().released, 0u);
  EXPECT_EQ(narrow.record().released, 40'008u);
}

TEST_F(ReliefTest, MakesRoomForMoreOfWhatWasGivenRoomBefore) {
  Producer tail = world_.Sender(Connect(64 * 1024), "orders");
  BeginHead();
  tail.Send(Body(std::string(kHold, 't')), {.more = true});
  world_.Turn();
  EXPECT_EQ(tail.record().released, kHold + 8);
  tail.More(std::string(40'000, 't'), {.more = true});
  world_.Turn();
  EXPECT_EQ(tail.record().released, kHold + 8 + 40'000);
  tail.Abort();
}

TEST_F(ReliefTest, MakesRoomOnceAConsumerThatWasSlowHasTakenAllThereIs) {
  Producer tail = world_.Sender(Connect(64 * 1024), "orders");
  BeginHead();
  tail.Send(Body(std::string(20'000, 't')));
  world_.Turn();
  far_.sink.blocked = true;
  head_.More(std::string(1000, 'h'), {.more = true});
  world_.Turn();
  tail.Send(Body(std::string(20'000, 't')));
  world_.Turn();
  EXPECT_EQ(tail.record().released, 0u) << "the consumer could go on without more input";
  head_.More(std::string(1000, 'h'), {.more = true});
  world_.Turn();
  far_.sink.blocked = false;
  far_.Resume();
  world_.Turn();
  tail.Send(Body("one more"));
  world_.Turn();
  EXPECT_GT(tail.record().released, 0u);
}

TEST_F(ReliefTest, ForgetsWhatGoesWhileItWaits) {
  Peer& narrow = Connect(64 * 1024);
  Producer detached = world_.Sender(narrow, "orders");
  Producer aborted = world_.Sender(narrow, "orders");
  Producer stays = world_.Sender(narrow, "orders");
  BeginHead();
  detached.Send(Body(std::string(10'000, 'd')));
  aborted.Send(Body(std::string(kHold, 'a')), {.more = true});
  stays.Send(Body(std::string(10'000, 's')));
  world_.Turn();
  detached.Detach();
  aborted.Abort();
  stays.Send(Body(std::string(40'000, 's')));
  world_.Turn();
  EXPECT_GE(stays.record().released, 10'008u);
  head_.More("end");
  world_.Turn();
  EXPECT_THAT(consumer_.got(), SizeIs(4));
}

// Each half message is looked at when there is too much of them, and nothing else.
TEST_F(ReliefTest, LooksAtHalfMessagesOnly) {
  Peer& narrow = Connect(64 * 1024);
  const std::string half(32 * 1024, 'x');
  const auto time_halves = [&] {
    Producer producer = world_.Sender(narrow, "orders");
    const int64_t before = ThreadTime();
    for (int i = 0; i < 200; ++i) {
      producer.Send(half, {.more = true});
      EXPECT_EQ(producer.record().released, (i + 1) * half.size());
      producer.Abort();
    }
    return ThreadTime() - before;
  };
  const int64_t alone = time_halves();
  consumer_.Flow(0);
  Producer other = world_.Sender(narrow, "orders");
  other.SendMany(60'000, Body("waits for credit"));
  EXPECT_LT(time_halves(), 10 * alone);
}

// --- across shards

TEST(ReliefAcross, RemembersThatAMulticastWaitsSomewhere) {
  World world({.settings = {{.pattern = "news", .treatment = Treatment::kMulticast}}, .shards = 3});
  Peer& narrow = world.Connect({.session_window_bytes = 256 * 1024});
  Consumer stays = world.Receiver(world.Connect({}, 1), "news");
  Consumer leaves = world.Receiver(world.Connect({}, 2), "news");
  Producer head = world.Sender(narrow, "news");
  Producer first = world.Sender(narrow, "news");
  Producer second = world.Sender(narrow, "news");
  head.Send(Body(std::string(kHold, 'h')), {.more = true});
  world.Turn();
  first.Send(Body(std::string(100'000, '1')));
  world.Turn();
  leaves.Detach();
  world.Turn();
  EXPECT_EQ(first.record().released, 0u);
  second.Send(Body(std::string(60'000, '2')));
  world.Turn();
  EXPECT_EQ(first.record().released, 100'008u);
  head.More("end");
  world.Turn();
  stays.AcceptAll();
  EXPECT_THAT(first.Outcomes(), ElementsAre(OutcomeKind::kAccepted));
  world.CheckEnd();
}

}  // namespace
}  // namespace trunkline::core
