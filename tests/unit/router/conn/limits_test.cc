// Limits that a driver keeps, at each of them and one beyond; and peers that want nothing.

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/conn/attach.h"
#include "test_world.h"

namespace trunkline::conn::test {
namespace {

using amqp::Fault;

class LimitsTest : public testing::Test {
 protected:
  const ConnStats& stats() { return world_.workspace().stats; }
  uint64_t Of(Fault fault) { return stats().faults.by_fault[static_cast<size_t>(fault)].Get(); }
  uint64_t Failures() {
    uint64_t all = 0;
    for (const Counter& one : stats().failed) all += one.Get();
    return all;
  }

  World world_;
};

TEST_F(LimitsTest, AnAddressMayBeAsLongAsTheLimitSays) {
  Client& client = *world_.Connect().client;
  for (const auto attach_of : {Client::SenderAttach, Client::ReceiverAttach}) {
    const auto good = client.Start(attach_of(std::string(kAddressBytesMax, 'a')));
    const auto bad = client.Start(attach_of(std::string(kAddressBytesMax + 1, 'a')));
    world_.Run();
    EXPECT_TRUE(client.link(good).attached);
    EXPECT_FALSE(client.link(good).detached);
    EXPECT_TRUE(client.link(bad).detached);
    EXPECT_TRUE(client.link(bad).closed);
    EXPECT_EQ(client.link(bad).error.name, "amqp:invalid-field");
    EXPECT_EQ(client.link(bad).error.description, "address: longer than 4096 bytes");
  }
  EXPECT_EQ(Of(Fault::kAddress), 2u);
  client.Receiver("orders");
  const auto sender = client.Sender("orders");
  world_.Run();
  EXPECT_GT(client.link(sender).credit, 0u) << "the connection goes on";
}

TEST_F(LimitsTest, AConnectionMayHaveAsManyLinksAsTheLimitSays) {
  DriverOptions options = World::Accepting();
  options.max_links = 2;
  Client& client = *world_.Connect({}, options).client;
  const auto first = client.Receiver("orders");
  const auto second = client.Sender("orders");
  const auto third = client.Sender("orders");
  world_.Run();
  EXPECT_FALSE(client.link(first).detached);
  EXPECT_GT(client.link(second).credit, 0u);
  EXPECT_TRUE(client.link(third).detached);
  EXPECT_EQ(client.link(third).error.name, "amqp:resource-limit-exceeded");
  EXPECT_EQ(Of(Fault::kLinks), 1u);
}

TEST_F(LimitsTest, TheOpenMayComeUntilTheHandshakeTimeout) {
  DriverOptions options = World::Accepting();
  options.handshake_timeout = Seconds(10);
  Peer& quick = world_.Accept(options);
  Peer& slow = world_.Accept(options);
  world_.Pass(Milliseconds(9'900));
  EXPECT_EQ(stats().handshake_timeouts.Get(), 0u);
  quick.client = std::make_unique<Client>(world_.pool(), ClientOptions{});
  world_.Run();
  world_.Pass(Milliseconds(200));
  EXPECT_EQ(quick.driver->phase(), Phase::kOpen);
  EXPECT_TRUE(slow.hung_up());
  EXPECT_EQ(stats().handshake_timeouts.Get(), 1u);
  EXPECT_EQ(Failures(), 1u);
}

// Whoever sends a byte now and then has no more time than one who sends none.
TEST_F(LimitsTest, BytesThatTrickleInGiveNoMoreTime) {
  Peer& peer = world_.Accept();
  const std::string bytes("AMQP\x03\x01\x00\x00\x00\x00\x00\x20\x02\x01\x00\x00", 16);
  for (size_t i = 0; i < 12 && !peer.hung_up(); ++i) {
    peer.to_router += bytes[i];
    world_.Pass(Seconds(1));
  }
  EXPECT_TRUE(peer.hung_up());
  EXPECT_EQ(peer.error, "Timeout waiting for initial handshake");
  EXPECT_EQ(stats().handshake_timeouts.Get(), 1u);
}

TEST_F(LimitsTest, APeerThatOnlyLooksHasFailedAtNothing) {
  Peer& plain = world_.Accept();
  DriverOptions secured = World::Accepting();
  secured.tls = ServerContext();
  Peer& tls = world_.Accept(secured);
  world_.Run();
  world_.Vanish(plain);
  world_.Vanish(tls);
  world_.Run();
  EXPECT_TRUE(plain.hung_up());
  EXPECT_TRUE(tls.hung_up());
  EXPECT_EQ(plain.error, "");
  EXPECT_EQ(tls.error, "");
  EXPECT_EQ(stats().probes.Get(), 2u);
  EXPECT_EQ(Failures(), 0u);
}

TEST_F(LimitsTest, APeerThatSaidOneByteHasFailed) {
  Peer& peer = world_.Accept();
  peer.to_router = "A";
  world_.Run();
  world_.Vanish(peer);
  world_.Run();
  EXPECT_NE(peer.error, "");
  EXPECT_EQ(stats().probes.Get(), 0u);
  EXPECT_EQ(Failures(), 1u);
}

}  // namespace
}  // namespace trunkline::conn::test
