// How a connection comes to be open: protocol headers, SASL, TLS, and who the peer is then.

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/conn/driver.h"
#include "router/conn/handshake.h"
#include "test_world.h"
#include "tests/unit/router/tls/test_certs.h"

namespace trunkline::conn::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kAmqp(amqp::kAmqpHeader);
const std::string kSasl(amqp::kSaslHeader);

// TLS contexts for both ends.
struct Certified {
  explicit Certified(const std::string& uid_format = "") {
    server = Build(certs.server, {.uid_format = uid_format});
    client = Build(certs.client, {});
    tls::Bundle anonymous;
    anonymous.ca_pem = certs.authority.Pem();
    nobody = *tls::Context::Build(anonymous, {});
  }
  std::shared_ptr<const tls::Context> Build(const tls::test::TestCert& cert,
                                            const tls::ContextOptions& options) {
    tls::Bundle bundle;
    bundle.certificate_pem = cert.Pem();
    bundle.private_key_pem = cert.key().Pem();
    bundle.ca_pem = certs.authority.Pem();
    return *tls::Context::Build(bundle, options);
  }

  ClientOptions ClientWith(std::shared_ptr<const tls::Context> context,
                           std::vector<std::string> mechanisms) const {
    return {.sasl = !mechanisms.empty(),
            .mechanisms = mechanisms,
            .tls = std::move(context),
            .tls_client = {.server_name = "server.example"}};
  }
  DriverOptions Listener(tls::ClientAuth auth = tls::ClientAuth::kNone) const {
    DriverOptions options = World::Accepting();
    options.tls = server;
    options.tls_server.client_auth = auth;
    return options;
  }

  tls::test::TestCerts certs;
  std::shared_ptr<const tls::Context> server;
  std::shared_ptr<const tls::Context> client;
  std::shared_ptr<const tls::Context> nobody;  // without a certificate
};

TEST(Open, TakesABareAmqpHeader) {
  World world;
  Peer& peer = world.Connect();
  EXPECT_EQ(peer.driver->phase(), Phase::kHandshake);
  world.Run();
  EXPECT_TRUE(peer.client->opened());
  EXPECT_EQ(peer.driver->phase(), Phase::kOpen);
  EXPECT_EQ(peer.driver->container_id(), "client");
  EXPECT_EQ(peer.driver->user(), "");
  EXPECT_EQ(peer.driver->tls_description(), "");
}

TEST(Open, TakesSaslAnonymous) {
  World world;
  Peer& peer = world.Connect({.sasl = true});
  world.Run();
  EXPECT_TRUE(peer.client->opened());
  EXPECT_EQ(peer.driver->user(), "");
}

TEST(Open, TellsThePeerWhatItNeedsToKnow) {
  World world;
  DriverOptions options = World::Accepting();
  options.max_frame_size = 4096;
  options.channel_max = 99;
  options.idle_timeout = Seconds(16);
  options.properties = std::string("\xc1\x01\x00", 3);
  Peer& peer = world.Connect({}, options);
  world.Run();
  const amqp::Open& open = peer.client->remote_open();
  EXPECT_EQ(open.container_id, "R");
  EXPECT_EQ(open.hostname, std::nullopt);
  EXPECT_EQ(open.max_frame_size, 4096u);
  EXPECT_EQ(open.channel_max, 99u);
  EXPECT_EQ(open.idle_time_out, 8000u);
  EXPECT_THAT(open.offered_capabilities, ElementsAre("ANONYMOUS-RELAY", "qd.streaming-links"));
  EXPECT_THAT(open.desired_capabilities, ElementsAre("ANONYMOUS-RELAY", "qd.streaming-links"));
  EXPECT_EQ(open.properties, options.properties);
}

// --- protocol headers

TEST(Headers, ABareOneIsAnsweredWithSaslWhereThatIsRequired) {
  World world;
  DriverOptions options = World::Accepting();
  options.require_sasl = true;
  Peer& peer = world.Accept(options);
  peer.to_router = kAmqp;
  world.Run();
  EXPECT_TRUE(peer.hung_up());
  EXPECT_EQ(peer.to_peer, kSasl);
  EXPECT_THAT(peer.error, HasSubstr("no SASL layer"));
}

TEST(Headers, AnythingElseIsAnsweredWithOurs) {
  struct {
    std::string bytes;
    std::string error;
  } const cases[] = {
      {"GET / HTTP/1.1\r\n", "not an AMQP protocol header"},
      {"X", "not an AMQP protocol header"},
      {"AMQX", "not an AMQP protocol header"},
      {std::string("AMQP\x00\x00\x09\x01", 8), "unsupported protocol header"},
      {std::string("AMQP\x00\x01\x00\x01", 8), "unsupported protocol header"},
      {std::string("AMQP\x03\x01\x00\x01", 8), "unsupported protocol header"},
      {std::string("AMQP\x01", 5), "unsupported protocol header"},
      {std::string("AMQP\x02\x01\x00\x00", 8), "TLS upgrade"},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8), "TLS on a plaintext AMQP port"},
  };
  for (const auto& [bytes, error] : cases) {
    World world;
    Peer& peer = world.Accept();
    peer.to_router = bytes;
    world.Run();
    EXPECT_TRUE(peer.hung_up()) << testing::PrintToString(bytes);
    EXPECT_EQ(peer.to_peer, kAmqp);
    EXPECT_THAT(peer.error, HasSubstr(error));
  }
}

TEST(Headers, AnIncompleteOneIsWaitedFor) {
  for (const std::string& header : {kAmqp, kSasl}) {
    for (size_t size = 0; size < header.size(); ++size) {
      World world;
      Peer& peer = world.Accept();
      peer.to_router = header.substr(0, size);
      world.Run();
      EXPECT_FALSE(peer.hung_up());
      EXPECT_EQ(peer.to_peer, "");
    }
  }
}

TEST(Headers, AfterSaslComesAmqpAndNothingElse) {
  World world;
  Peer& peer = world.Connect({.sasl = true, .speaks_amqp = false});
  world.Run();
  EXPECT_FALSE(peer.hung_up());
  peer.client.reset();
  peer.to_router = kSasl;
  world.Run();
  EXPECT_TRUE(peer.hung_up());
  EXPECT_NE(peer.error, "");
}

TEST(Headers, GarbageBehindTheHeaderEndsTheConnection) {
  World world;
  Peer& peer = world.Accept();
  peer.to_router = kAmqp + std::string(64, '\xff');
  world.Run();
  world.Pass(Seconds(6));
  EXPECT_TRUE(peer.hung_up());
  EXPECT_THAT(peer.to_peer, StartsWith(kAmqp));
  EXPECT_NE(peer.error, "");
}

// --- SASL

TEST(Sasl, RequiredMeansThatAnonymousIsNotOffered) {
  World world;
  DriverOptions options = World::Accepting();
  options.require_sasl = true;
  Peer& peer = world.Connect({.sasl = true}, options);
  world.Run();
  EXPECT_FALSE(peer.client->opened());
  EXPECT_TRUE(peer.hung_up());
  EXPECT_THAT(peer.error, HasSubstr("no SASL mechanism to offer"));
}

TEST(Sasl, ExternalNeedsACertificate) {
  World world;
  DriverOptions options = World::Accepting();
  options.sasl_mechanisms = {"EXTERNAL", "ANONYMOUS"};
  Peer& peer = world.Connect({.sasl = true, .mechanisms = {"EXTERNAL", "ANONYMOUS"}}, options);
  world.Run();
  EXPECT_TRUE(peer.client->opened());
  EXPECT_EQ(peer.driver->user(), "");
}

TEST(Sasl, GarbageFramesEndTheConnection) {
  World world;
  Peer& peer = world.Accept();
  peer.to_router = kSasl + std::string(64, '\xff');
  world.Run();
  EXPECT_TRUE(peer.hung_up());
  EXPECT_NE(peer.error, "");
}

// --- TLS

TEST(Tls, CarriesEverything) {
  const Certified certified;
  World world({.seed = 2, .read_max = 700, .write_max = 700});
  Peer& peer =
      world.Connect(certified.ClientWith(certified.nobody, {"ANONYMOUS"}), certified.Listener());
  world.Run();
  EXPECT_TRUE(peer.client->opened()) << peer.client->tls_error();
  EXPECT_EQ(peer.driver->phase(), Phase::kOpen);
  EXPECT_THAT(peer.driver->tls_description(), StartsWith("TLSv1.3 TLS_"));
  EXPECT_EQ(peer.driver->user(), "");
}

TEST(Tls, WorksWithoutSasl) {
  const Certified certified;
  World world;
  Peer& peer = world.Connect(certified.ClientWith(certified.nobody, {}), certified.Listener());
  world.Run();
  EXPECT_TRUE(peer.client->opened());
}

TEST(Tls, ACertificateIsAUserByItsSubject) {
  const Certified certified;
  World world;
  Peer& peer = world.Connect(certified.ClientWith(certified.client, {"EXTERNAL"}),
                             certified.Listener(tls::ClientAuth::kRequire));
  world.Run();
  ASSERT_TRUE(peer.client->opened());
  EXPECT_THAT(peer.driver->user(), HasSubstr("CN=client one"));
  EXPECT_THAT(peer.driver->user(), HasSubstr("O=Trunk Works"));
}

TEST(Tls, ACertificateIsAUserByTheFormatGiven) {
  const Certified certified("on");
  World world;
  Peer& peer = world.Connect(certified.ClientWith(certified.client, {"EXTERNAL"}),
                             certified.Listener(tls::ClientAuth::kRequest));
  world.Run();
  ASSERT_TRUE(peer.client->opened());
  EXPECT_EQ(peer.driver->user(), "Trunk Works;client one");
}

TEST(Tls, ACertifiedPeerMayStayAnonymous) {
  const Certified certified;
  World world;
  Peer& peer = world.Connect(certified.ClientWith(certified.client, {"ANONYMOUS"}),
                             certified.Listener(tls::ClientAuth::kRequire));
  world.Run();
  ASSERT_TRUE(peer.client->opened());
  EXPECT_EQ(peer.driver->user(), "");
}

TEST(Tls, RequiredSaslTakesExternalOnly) {
  const Certified certified;
  DriverOptions options = certified.Listener(tls::ClientAuth::kRequest);
  options.require_sasl = true;
  World world;
  Peer& external = world.Connect(certified.ClientWith(certified.client, {"EXTERNAL"}), options);
  Peer& anonymous = world.Connect(certified.ClientWith(certified.client, {"ANONYMOUS"}), options);
  Peer& uncertified = world.Connect(certified.ClientWith(certified.nobody, {"EXTERNAL"}), options);
  Peer& bare = world.Connect(certified.ClientWith(certified.client, {}), options);
  world.Run();
  world.Vanish(anonymous);  // it found no mechanism it knows, and waits
  world.Run();
  EXPECT_TRUE(external.client->opened());
  EXPECT_FALSE(anonymous.client->opened());
  EXPECT_FALSE(uncertified.client->opened());
  EXPECT_FALSE(bare.client->opened());
  EXPECT_TRUE(uncertified.hung_up());
  EXPECT_TRUE(bare.hung_up());
}

TEST(Tls, APeerWithoutTheCertificateAskedForIsRefused) {
  const Certified certified;
  World world;
  Peer& peer = world.Connect(certified.ClientWith(certified.nobody, {"ANONYMOUS"}),
                             certified.Listener(tls::ClientAuth::kRequire));
  world.Run();
  EXPECT_TRUE(peer.hung_up());
  EXPECT_FALSE(peer.client->opened());
  EXPECT_THAT(peer.error, StartsWith("TLS: "));
  EXPECT_NE(peer.client->tls_error(), "");  // it was told by an alert
}

TEST(Tls, PlaintextIsRefusedByName) {
  for (const size_t read_max : {size_t{1}, size_t{100}}) {
    const Certified certified;
    World world({.seed = 1, .read_max = read_max});
    Peer& peer = world.Accept(certified.Listener());
    peer.to_router = kAmqp;
    world.Run();
    EXPECT_TRUE(peer.hung_up());
    EXPECT_THAT(peer.error, HasSubstr("plaintext AMQP on a TLS port"));
  }
}

TEST(Tls, GarbageIsRefused) {
  const Certified certified;
  World world;
  Peer& peer = world.Accept(certified.Listener());
  peer.to_router = std::string(100, '\x17');
  world.Run();
  EXPECT_TRUE(peer.hung_up());
  EXPECT_THAT(peer.error, StartsWith("TLS: "));
}

// --- mechanisms, by rule

TEST(Mechanisms, OfferedDependOnTheListenerAndThePeer) {
  DriverOptions options;
  EXPECT_THAT(OfferedMechanisms(options, false), ElementsAre("ANONYMOUS"));
  EXPECT_THAT(OfferedMechanisms(options, true), ElementsAre("EXTERNAL", "ANONYMOUS"));
  options.require_sasl = true;
  EXPECT_THAT(OfferedMechanisms(options, false), ElementsAre());
  EXPECT_THAT(OfferedMechanisms(options, true), ElementsAre("EXTERNAL"));
  options.sasl_mechanisms = {"ANONYMOUS", "PLAIN", "EXTERNAL"};
  EXPECT_THAT(OfferedMechanisms(options, true), ElementsAre("EXTERNAL"));
  options.require_sasl = false;
  EXPECT_THAT(OfferedMechanisms(options, true), ElementsAre("ANONYMOUS", "EXTERNAL"));
  EXPECT_THAT(OfferedMechanisms(options, false), ElementsAre("ANONYMOUS"));
}

TEST(Mechanisms, UsableDependOnOurCertificate) {
  const Certified certified;
  DriverOptions options;
  EXPECT_THAT(UsableMechanisms(options), ElementsAre("ANONYMOUS"));
  options.sasl_mechanisms = {"EXTERNAL"};
  EXPECT_THAT(UsableMechanisms(options), ElementsAre());
  options.tls = certified.nobody;
  EXPECT_THAT(UsableMechanisms(options), ElementsAre());
  options.tls = certified.client;
  EXPECT_THAT(UsableMechanisms(options), ElementsAre("EXTERNAL"));
  options.sasl_mechanisms = {"ANONYMOUS", "EXTERNAL"};
  EXPECT_THAT(UsableMechanisms(options), ElementsAre("EXTERNAL", "ANONYMOUS"));
}

}  // namespace
}  // namespace trunkline::conn::test
