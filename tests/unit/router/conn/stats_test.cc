// What drivers count of their connections.

#include "router/conn/stats.h"

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "test_world.h"
#include "tests/unit/router/tls/test_certs.h"

namespace trunkline::conn::test {
namespace {

using tls::HandshakeResult;

template <size_t kSize, typename Kind>
uint64_t Of(const std::array<Counter, kSize>& counters, Kind kind) {
  return counters[static_cast<size_t>(kind)].Get();
}
template <size_t kSize>
uint64_t All(const std::array<Counter, kSize>& counters) {
  uint64_t all = 0;
  for (const Counter& one : counters) all += one.Get();
  return all;
}

class StatsTest : public testing::Test {
 protected:
  const ConnStats& stats() { return world_.workspace().stats; }

  World world_;
};

TEST_F(StatsTest, CountsWhoCameAndHowTheyLeft) {
  Peer& leaves = world_.Connect();
  Peer& told = world_.Connect({.sasl = true});
  Peer& vanishes = world_.Connect();
  Peer& drained = world_.Connect();
  world_.Run();
  EXPECT_EQ(Of(stats().opened, true), 4u);
  EXPECT_EQ(Of(stats().opened, false), 0u);
  EXPECT_EQ(Of(stats().sasl_ok, Mechanism::kAnonymous), 1u);
  EXPECT_EQ(All(stats().sasl_ok), 1u);
  leaves.client->engine().Close();
  told.driver->Close({.name = "amqp:connection:forced", .description = {}, .info = {}});
  drained.driver->Close({}, EndReason::kDrain);
  world_.Vanish(vanishes);
  world_.Run();
  EXPECT_EQ(Of(stats().ended, EndReason::kPeer), 1u);
  EXPECT_EQ(Of(stats().ended, EndReason::kAdmin), 1u);
  EXPECT_EQ(Of(stats().ended, EndReason::kDrain), 1u);
  EXPECT_EQ(Of(stats().ended, EndReason::kError), 1u);
  EXPECT_EQ(All(stats().ended), 4u);
  EXPECT_EQ(All(stats().failed), 0u);
}

TEST_F(StatsTest, CountsForTheOwnerWhatItCountsForTheWorker) {
  LifeStats owner;
  DriverOptions options = World::Accepting();
  options.stats = &owner;
  Peer& leaves = world_.Connect({.sasl = true}, options);
  world_.Connect({.sasl = true});  // of another owner
  Peer& stranger = world_.Accept(options);
  stranger.to_router = "GET / HTTP/1.1\r\n\r\n";
  world_.Run();
  leaves.client->engine().Close();
  world_.Run();
  EXPECT_EQ(Of(owner.opened, true), 1u);
  EXPECT_EQ(All(owner.sasl_ok), 1u);
  EXPECT_EQ(Of(owner.ended, EndReason::kPeer), 1u);
  EXPECT_EQ(Of(owner.failed, Stage::kProtocol), 1u);
  EXPECT_EQ(Of(stats().opened, true), 2u);
  EXPECT_EQ(Of(stats().failed, Stage::kProtocol), 1u);
}

TEST_F(StatsTest, TellsSilenceFromOtherErrors) {
  DriverOptions options = World::Accepting();
  options.idle_timeout = Seconds(16);
  Peer& peer = world_.Connect({}, options);
  world_.Run();
  peer.client.reset();
  world_.Pass(Seconds(22));
  EXPECT_EQ(Of(stats().ended, EndReason::kIdleTimeout), 1u);
  EXPECT_EQ(All(stats().ended), 1u);
}

TEST_F(StatsTest, CountsFailuresByWhatTheyDidNotGetPast) {
  Peer& stranger = world_.Accept();
  stranger.to_router = "GET / HTTP/1.1\r\n\r\n";
  world_.Run();
  EXPECT_EQ(Of(stats().failed, Stage::kProtocol), 1u);
  DriverOptions strict = World::Accepting();
  strict.require_sasl = true;
  world_.Connect({.sasl = true}, strict);
  world_.Run();
  EXPECT_EQ(Of(stats().failed, Stage::kSasl), 1u);
  EXPECT_EQ(Of(stats().sasl_denied, Mechanism::kOther), 1u) << "there was none in common";
  Peer& slow = world_.Accept();
  slow.to_router = std::string(amqp::kAmqpHeader);
  world_.Pass(Seconds(11));
  EXPECT_EQ(Of(stats().failed, Stage::kOpen), 1u);
  EXPECT_EQ(All(stats().failed), 3u);
  EXPECT_EQ(All(stats().ended), 0u);
}

TEST_F(StatsTest, CountsNoFailureOfWhatWeGaveUp) {
  Peer& peer = world_.Accept();
  world_.Run();
  peer.driver->Close({});
  world_.Run();
  EXPECT_EQ(All(stats().failed), 0u);
}

TEST_F(StatsTest, CountsFramesOfBothDirections) {
  Peer& peer = world_.Connect();
  const amqp::LinkIndex receiver = peer.client->Receiver("orders");
  const amqp::LinkIndex sender = peer.client->Sender("orders");
  world_.Run();
  const uint64_t in = stats().frames_in.Get();
  const uint64_t out = stats().frames_out.Get();
  EXPECT_GE(in, 4u) << "open, begin, two attaches";
  EXPECT_GE(out, 4u);
  peer.client->Send(sender, std::string("\x00\x53\x75\xa0\x02hi", 7));
  world_.Run();
  EXPECT_EQ(peer.client->link(receiver).received.size(), 1u);
  EXPECT_GE(stats().frames_in.Get(), in + 2) << "transfer, disposition";
  EXPECT_GE(stats().frames_out.Get(), out + 2);
}

class TlsStatsTest : public StatsTest {
 protected:
  std::shared_ptr<const tls::Context> ContextOf(const tls::test::TestCert* mine,
                                                const std::string& trusted) {
    tls::Bundle bundle;
    if (mine != nullptr) {
      bundle.certificate_pem = mine->Pem();
      bundle.private_key_pem = mine->key().Pem();
    }
    bundle.ca_pem = trusted;
    return *tls::Context::Build(bundle, {});
  }
  void Connect(const tls::test::TestCert* shown) {
    DriverOptions listener = World::Accepting();
    listener.tls = ContextOf(&certs_.server, certs_.authority.Pem());
    listener.tls_server.client_auth = tls::ClientAuth::kRequire;
    world_.Connect({.sasl = true,
                    .mechanisms = {"EXTERNAL"},
                    .tls = ContextOf(shown, certs_.authority.Pem()),
                    .tls_client = {.server_name = "server.example"}},
                   listener);
    world_.Run();
  }

  tls::test::TestCerts certs_;
  tls::test::TestCerts others_;
};

TEST_F(TlsStatsTest, CountHandshakesByTheirResult) {
  Connect(&certs_.client);
  EXPECT_EQ(Of(stats().tls_handshakes[true], HandshakeResult::kOk), 1u);
  EXPECT_EQ(Of(stats().sasl_ok, Mechanism::kExternal), 1u);
  Connect(nullptr);
  EXPECT_EQ(Of(stats().tls_handshakes[true], HandshakeResult::kNoClientCertificate), 1u);
  Connect(&others_.client);
  EXPECT_EQ(Of(stats().tls_handshakes[true], HandshakeResult::kUnknownCa), 1u);
  Connect(&certs_.expired);
  EXPECT_EQ(Of(stats().tls_handshakes[true], HandshakeResult::kExpired), 1u);
  EXPECT_EQ(All(stats().tls_handshakes[true]), 4u);
  EXPECT_EQ(All(stats().tls_handshakes[false]), 0u);
  EXPECT_EQ(Of(stats().failed, Stage::kTls), 3u);
}

}  // namespace
}  // namespace trunkline::conn::test
