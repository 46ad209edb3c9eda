// How a connection ends: in order, by time-out, by mistake, by the peer's disappearance.

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/conn/driver.h"
#include "test_world.h"

namespace trunkline::conn::test {
namespace {

using testing::HasSubstr;

const std::string kAmqp(amqp::kAmqpHeader);
const amqp::Condition kForced{.name = "amqp:connection:forced", .description = "going away"};

// Everything that a client says until it has a sender and a receiver, one message through.
std::string Recording(bool sasl) {
  World world({.seed = 0});
  Peer& peer = world.Connect({.sasl = sasl});
  std::string said;
  const amqp::LinkIndex receiver = peer.client->Receiver("orders");
  const amqp::LinkIndex sender = peer.client->Sender("orders");
  peer.client->Send(sender, std::string("\x00\x53\x75\xa0\x02hi", 7));
  for (int turn = 0; turn < 100; ++turn) {
    peer.to_router = peer.client->Pull(world.now());
    said += peer.to_router;
    world.Turn();
  }
  EXPECT_EQ(peer.client->link(receiver).received.size(), 1u);
  EXPECT_EQ(peer.client->link(sender).outcomes.size(), 1u);
  return said;
}

// --- the handshake takes too long

TEST(HandshakeTimeout, HangsUpOnASilentPeer) {
  World world;
  Peer& peer = world.Accept();
  world.Pass(Milliseconds(9900));
  EXPECT_FALSE(peer.hung_up());
  world.Pass(Milliseconds(200));
  EXPECT_TRUE(peer.hung_up());
  EXPECT_EQ(peer.error, "Timeout waiting for initial handshake");
  EXPECT_EQ(peer.to_peer, "");
}

TEST(HandshakeTimeout, SaysSoToAPeerThatSpeaksAmqp) {
  World world;
  Peer& peer = world.Accept();
  peer.to_router = kAmqp;
  world.Pass(Milliseconds(10100));
  EXPECT_EQ(peer.driver->phase(), Phase::kClosing);
  EXPECT_THAT(peer.to_peer, HasSubstr("amqp:not-allowed"));
  EXPECT_THAT(peer.to_peer, HasSubstr("Timeout waiting for initial handshake"));
  EXPECT_EQ(peer.driver->error(), "Timeout waiting for initial handshake");
  world.Pass(Seconds(5));
  EXPECT_TRUE(peer.hung_up());
}

TEST(HandshakeTimeout, IsNotUndoneByAnOpenThatComesTooLate) {
  World world;
  Peer& peer = world.Accept();
  peer.to_router = kAmqp;
  world.Pass(Milliseconds(10100));
  ASSERT_EQ(peer.driver->phase(), Phase::kClosing);
  const std::string said = Recording(false);
  const auto open_size = static_cast<uint8_t>(said[kAmqp.size() + 3]);
  peer.to_router = said.substr(kAmqp.size(), open_size);
  world.Run();
  ASSERT_FALSE(peer.hung_up());
  EXPECT_FALSE(peer.driver->WasOpen());
  EXPECT_EQ(peer.driver->container_id(), "");
}

TEST(HandshakeTimeout, CoversTlsAndSasl) {
  World world;
  Peer& sasl = world.Connect({.sasl = true, .speaks_amqp = false});
  world.Pass(Milliseconds(10100));
  EXPECT_TRUE(sasl.hung_up());
}

TEST(HandshakeTimeout, IsOverOnceOpen) {
  World world;
  Peer& peer = world.Connect();
  world.Pass(Seconds(60));
  EXPECT_EQ(peer.driver->phase(), Phase::kOpen);
}

TEST(HandshakeTimeout, ZeroWaitsForEver) {
  World world;
  DriverOptions options = World::Accepting();
  options.handshake_timeout = {};
  Peer& peer = world.Accept(options);
  world.Pass(Seconds(600));
  EXPECT_FALSE(peer.hung_up());
}

// --- close

TEST(Close, ByUsIsAnsweredByThePeer) {
  World world;
  Peer& peer = world.Connect();
  world.Run();
  peer.driver->Close(kForced);
  EXPECT_EQ(peer.driver->phase(), Phase::kClosing);
  world.Run();
  EXPECT_TRUE(peer.hung_up());
  EXPECT_TRUE(peer.client->closed());
  EXPECT_EQ(peer.client->close_error(), kForced);
  EXPECT_EQ(peer.error, "");
}

TEST(Close, ByThePeerIsAnswered) {
  World world;
  Peer& peer = world.Connect();
  world.Run();
  peer.client->engine().Close();
  world.Run();
  EXPECT_TRUE(peer.hung_up());
  EXPECT_TRUE(peer.client->engine().IsClosed());
  EXPECT_EQ(peer.error, "");
}

TEST(Close, ByThePeerWithAConditionIsAnError) {
  World world;
  Peer& peer = world.Connect();
  world.Run();
  peer.client->engine().Close(kForced);
  world.Run();
  EXPECT_TRUE(peer.hung_up());
  EXPECT_EQ(peer.error, "amqp:connection:forced: going away");
}

TEST(Close, GivesUpAPeerThatDoesNotAnswer) {
  World world;
  Peer& peer = world.Connect();
  world.Run();
  peer.client.reset();
  peer.driver->Close(kForced);
  peer.deadline = peer.driver->Tick(world.now());
  world.Pass(Milliseconds(4900));
  EXPECT_FALSE(peer.hung_up());
  world.Pass(Milliseconds(200));
  EXPECT_TRUE(peer.hung_up());
}

TEST(Close, GivesUpAPeerThatDoesNotRead) {
  World world;
  Peer& peer = world.Connect();
  world.Run();
  peer.stalled = true;
  peer.client->engine().Close();
  world.Pass(Seconds(6));
  EXPECT_TRUE(peer.hung_up());
}

TEST(Close, BeforeAmqpJustHangsUp) {
  World world;
  Peer& peer = world.Accept();
  peer.driver->Close(kForced);
  world.Run();
  EXPECT_TRUE(peer.hung_up());
  EXPECT_EQ(peer.to_peer, "");
}

TEST(Close, IsSaidOnce) {
  World world;
  Peer& peer = world.Connect();
  world.Run();
  peer.driver->Close(kForced);
  peer.driver->Close({.name = "amqp:internal-error"});
  world.Run();
  EXPECT_EQ(peer.client->close_error(), kForced);
}

TEST(Close, EndsTlsInOrder) {
  const auto context = ServerContext();
  World world;
  DriverOptions options = World::Accepting();
  options.tls = context;
  Peer& peer =
      world.Connect({.tls = context, .tls_client = {.server_name = "server.example"}}, options);
  world.Run();
  ASSERT_TRUE(peer.client->opened());
  peer.driver->Close(kForced);
  world.Run();
  EXPECT_TRUE(peer.hung_up());
  EXPECT_EQ(peer.client->close_error(), kForced);
  EXPECT_TRUE(peer.client->tls_closed());
}

// --- idle

TEST(IdleTimeout, EndsASilentConnection) {
  World world;
  DriverOptions options = World::Accepting();
  options.idle_timeout = Seconds(16);
  Peer& peer = world.Connect({}, options);
  world.Run();
  peer.client.reset();
  world.Pass(Milliseconds(15500));
  EXPECT_FALSE(peer.hung_up());
  EXPECT_EQ(peer.driver->phase(), Phase::kOpen);
  world.Pass(Seconds(6));
  EXPECT_TRUE(peer.hung_up());
  EXPECT_EQ(peer.error, "amqp:resource-limit-exceeded: local-idle-timeout expired");
  EXPECT_THAT(peer.to_peer, HasSubstr("local-idle-timeout expired"));
}

TEST(IdleTimeout, HeartbeatsKeepBothEndsAlive) {
  World world;
  DriverOptions options = World::Accepting();
  options.idle_timeout = Seconds(16);
  Peer& peer = world.Connect({.idle_timeout = Seconds(4)}, options);
  world.Run();
  world.Pass(Seconds(120));
  ASSERT_FALSE(peer.hung_up());
  EXPECT_EQ(peer.driver->phase(), Phase::kOpen);
  EXPECT_FALSE(peer.client->failure());
}

// --- the peer is gone

TEST(Vanish, AfterEveryByteOfAConversation) {
  for (const bool sasl : {false, true}) {
    const std::string said = Recording(sasl);
    for (size_t size = 0; size <= said.size(); ++size) {
      World world({.seed = 0});
      Peer& peer = world.Accept();
      peer.to_router = said.substr(0, size);
      world.Run();
      ASSERT_FALSE(peer.hung_up()) << size << ": " << peer.error;
      world.Vanish(peer);
      world.Run();
      EXPECT_TRUE(peer.hung_up()) << size;
      EXPECT_EQ(peer.error.empty(), size == 0) << size << ": " << peer.error;
      world.workspace().arena.Trim();
      EXPECT_EQ(world.pool().bytes_in_use(), 0u) << size;
    }
  }
}

TEST(Vanish, AtEveryTurnOfATlsConversation) {
  const auto context = ServerContext();
  bool reached_open = false;
  for (int turns = 0; turns < 60; ++turns) {
    World world({.seed = 5, .read_max = 200, .write_max = 1 << 20});
    DriverOptions options = World::Accepting();
    options.tls = context;
    Peer& peer = world.Connect(
        {.sasl = true, .tls = context, .tls_client = {.server_name = "server.example"}}, options);
    peer.client->Receiver("orders");
    for (int turn = 0; turn < turns; ++turn) world.Turn();
    reached_open |= peer.driver->phase() == Phase::kOpen;
    world.Vanish(peer);
    world.Run();
    EXPECT_TRUE(peer.hung_up()) << turns;
    const bool unheard = world.workspace().stats.probes.Get() == 1;
    EXPECT_EQ(peer.error.empty(), unheard) << turns << ": " << peer.error;
    world.workspace().arena.Trim();
    EXPECT_EQ(world.pool().bytes_in_use(), 0u) << turns;
  }
  EXPECT_TRUE(reached_open);
}

TEST(Vanish, ByteByByteMakesNoDifference) {
  const std::string said = Recording(true);
  World whole({.seed = 0});
  Peer& one = whole.Accept();
  one.to_router = said;
  whole.Run();
  World bytes({.seed = 0, .read_max = 1, .write_max = 1});
  Peer& other = bytes.Accept();
  other.to_router = said;
  bytes.Run();
  EXPECT_EQ(other.driver->phase(), Phase::kOpen);
  EXPECT_EQ(one.driver->phase(), Phase::kOpen);
  EXPECT_NE(other.to_peer, "");
}

TEST(Vanish, WithoutAWordIsOnlyTheEnd) {
  World world;
  Peer& peer = world.Accept();
  world.Vanish(peer);
  EXPECT_EQ(peer.driver->phase(), Phase::kClosed);
  EXPECT_EQ(peer.error, "");
  world.Run();
  EXPECT_TRUE(peer.hung_up());
}

TEST(Vanish, WhileClosingIsNoError) {
  World world;
  Peer& peer = world.Connect();
  world.Run();
  peer.driver->Close(kForced);
  world.Vanish(peer);
  EXPECT_EQ(peer.driver->phase(), Phase::kClosed);
  EXPECT_EQ(peer.driver->error(), "");
}

TEST(Vanish, LeavesTheShardEmptyWhateverThePhase) {
  World world;
  Peer& peer = world.Connect();
  const amqp::LinkIndex receiver = peer.client->Receiver("orders", 0);
  const amqp::LinkIndex sender = peer.client->Sender("orders");
  for (int i = 0; i < 10; ++i) peer.client->Send(sender, std::string("\x00\x53\x77\x40", 4));
  world.Run();
  EXPECT_TRUE(peer.client->link(receiver).attached);
  EXPECT_EQ(world.shard().unsettled(), 10u);
  peer.driver.reset();
  EXPECT_EQ(world.shard().unsettled(), 0u);
}

// --- mistakes

TEST(Mistakes, EveryFlippedByteEndsInOrderOrGoesOn) {
  const std::string said = Recording(false);
  for (size_t at = 0; at < said.size(); ++at) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      World world({.seed = 0});
      Peer& peer = world.Accept();
      std::string bytes = said;
      bytes[at] ^= flip;
      peer.to_router = bytes;
      world.Run();
      world.Vanish(peer);
      world.Pass(Seconds(6));
      EXPECT_TRUE(peer.hung_up()) << at;
    }
  }
}

TEST(Mistakes, AFrameLargerThanAllowedIsRefused) {
  World world;
  DriverOptions options = World::Accepting();
  options.max_frame_size = 512;
  Peer& peer = world.Accept(options);
  peer.to_router =
      Recording(false) + std::string("\x00\x00\x02\x01\x02\x00\x00\x00", 8) + std::string(505, 'x');
  world.Run();
  world.Vanish(peer);
  world.Run();
  EXPECT_THAT(peer.error, HasSubstr("amqp:connection:framing-error"));
}

}  // namespace
}  // namespace trunkline::conn::test
