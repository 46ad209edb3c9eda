#include "router/net/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "router/base/memory_budget.h"
#include "router/net/publisher.h"
#include "tests/unit/router/net/socket_client.h"

// One worker without a pilot, and the ends of streams to its connections. That something is done
// without a walk over all connections is counted, not measured.
namespace trunkline::net::test {
namespace {

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    worker_.Meet({&worker_.mailbox()});
    publisher_.AddReader(worker_.mailbox());
  }
  ~WorkerTest() override { worker_.Stop(); }

  // Its peer says nothing.
  void Connect(uint64_t id) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    peers_.emplace_back(ends[0]);
    worker_.mailbox().Post(NewConnection{.fd = Descriptor(ends[1]), .plan = plan_, .id = id});
  }
  void Close(uint64_t id) {
    worker_.mailbox().Post(CloseConnection{id, {.name = "amqp:connection:forced"}});
  }
  bool AreSetUp(uint64_t count) {
    return RunUntil({}, [&] { return worker_.counters().connections.Get() == count; });
  }
  bool AreGone(uint64_t count) {
    return RunUntil({}, [&] { return worker_.counters().connections_gone.Get() == count; });
  }
  // Until the worker goes by it.
  bool Wish(std::vector<conn::FrameWish> wishes) {
    publisher_.SetLookers({.frames = std::make_shared<conn::FrameWishes>(std::move(wishes))});
    const uint64_t version = publisher_.Publish();
    return RunUntil({}, [&] { return adopted_ == version; });
  }
  // The peer of a connection sends a protocol header.
  void Greet(uint64_t id) {
    ASSERT_EQ(::send(peers_.at(id - 1).get(), "AMQP\0\1\0\0", 8, MSG_NOSIGNAL), 8);
  }
  uint64_t visited() const { return worker_.counters().sockets_visited.Get(); }

  std::atomic<uint64_t> adopted_{0};  // View
  MemoryBudget budget_{0};
  Publisher publisher_{*core::AddressSettings::Build({}, core::Treatment::kBalanced), 1, 1};
  std::vector<Descriptor> peers_;
  const std::shared_ptr<const ConnectionPlan> plan_ =
      std::make_shared<const ConnectionPlan>(ConnectionPlan{.owner = "in"});
  Worker worker_{{.identity = {.router_id = "router"},
                  .version = "1",
                  .budget = &budget_,
                  .report =
                      [this](const std::vector<Report>& reports) {
                        for (const Report& report : reports) {
                          const auto* left = std::get_if<ViewLeft>(&report);
                          if (left != nullptr) adopted_ = left->adopted;
                        }
                      }},
                 publisher_.newest()};
};

// As when a whole crowd is to come back with another certificate.
TEST_F(WorkerTest, ClosesConnectionsByTheirIdsWithoutAWalk) {
  constexpr uint64_t kConnections = 100;
  worker_.Start();
  for (uint64_t id = 1; id <= kConnections; ++id) Connect(id);
  ASSERT_TRUE(AreSetUp(kConnections));
  for (uint64_t id = 2; id <= kConnections; ++id) Close(id);
  ASSERT_TRUE(AreGone(kConnections - 1));
  EXPECT_EQ(visited(), 0u);
  Close(2);
  Close(kConnections + 1);
  Close(1);
  ASSERT_TRUE(AreGone(kConnections));
}

// They come with the same mail.
TEST_F(WorkerTest, ClosesConnectionsThatItHasNotSetUp) {
  constexpr uint64_t kConnections = 5;
  for (uint64_t id = 1; id <= kConnections; ++id) Connect(id);
  for (uint64_t id = 1; id <= kConnections; ++id) Close(id);
  worker_.Start();
  EXPECT_TRUE(AreGone(kConnections));
}

// --- frames

// Connections whose frames were seen since the last time.
std::set<uint64_t> Seen(conn::FrameQueue& queue) {
  std::set<uint64_t> connections;
  queue.Take([&](conn::FrameLine&& line) { connections.insert(line.connection); });
  return connections;
}

std::shared_ptr<conn::FrameQueue> MakeQueue() {
  return std::make_shared<conn::FrameQueue>(conn::FrameQueue::Options{
      .workers = 1, .samples_max = 100, .per_second = 1000, .wake = [] {}});
}

TEST_F(WorkerTest, BeginsAndEndsTheTraceOfOneConnectionWithoutAWalk) {
  worker_.Start();
  for (uint64_t id = 1; id <= 4; ++id) Connect(id);
  ASSERT_TRUE(AreSetUp(4));
  const conn::FrameWish first{.connection = 1, .queue = MakeQueue()};
  const conn::FrameWish second{.connection = 2, .queue = MakeQueue()};
  const conn::FrameWish ended{.connection = 3, .queue = MakeQueue()};
  ASSERT_TRUE(Wish({first, ended}));
  Greet(1);
  ASSERT_TRUE(RunUntil({}, [&] { return Seen(*first.queue) == std::set<uint64_t>{1}; }));
  ASSERT_TRUE(Wish({first, second}));
  Greet(3);
  Greet(2);
  ASSERT_TRUE(RunUntil({}, [&] { return Seen(*second.queue) == std::set<uint64_t>{2}; }));
  EXPECT_TRUE(Seen(*ended.queue).empty());
  EXPECT_EQ(visited(), 0u);
  // Of those of a listener nobody knows the connections.
  const conn::FrameWish all{.owner = "in", .queue = MakeQueue()};
  ASSERT_TRUE(Wish({second, all}));
  EXPECT_EQ(visited(), 4u);
  Greet(4);
  ASSERT_TRUE(RunUntil({}, [&] { return Seen(*all.queue).contains(4); }));
}

}  // namespace
}  // namespace trunkline::net::test
