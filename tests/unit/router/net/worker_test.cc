#include "router/net/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <deque>
#include <memory>
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
  uint64_t visited() const { return worker_.counters().sockets_visited.Get(); }

  MemoryBudget budget_{0};
  Publisher publisher_{*core::AddressSettings::Build({}, core::Treatment::kBalanced), 1, 1};
  std::vector<Descriptor> peers_;
  const std::shared_ptr<const ConnectionPlan> plan_ =
      std::make_shared<const ConnectionPlan>(ConnectionPlan{.owner = "in"});
  Worker worker_{{.identity = {.router_id = "router"},
                  .version = "1",
                  .budget = &budget_,
                  .report = [](std::vector<Report>) {}},
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

}  // namespace
}  // namespace trunkline::net::test
