#include "router/tls/stage.h"

#include <openssl/err.h>
#include <openssl/x509err.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/router/tls/session_pair.h"

namespace trunkline::tls::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using State = TlsStage::State;

// Both versions of the protocol, with contexts of the usual certificates.
class Stage : public ::testing::TestWithParam<Version> {
 protected:
  ContextOptions Only() const { return {.min_version = GetParam(), .max_version = GetParam()}; }
  std::shared_ptr<const Context> Server() { return MustBuild(BundleOf(certs_.server), Only()); }
  std::shared_ptr<const Context> ServerWithCa() {
    return MustBuild(BundleOf(certs_.server, &certs_.authority), Only());
  }
  std::shared_ptr<const Context> Client() {
    return MustBuild({.ca_pem = certs_.authority.Pem()}, Only());
  }
  std::shared_ptr<const Context> ClientWithCertificate() {
    return MustBuild(BundleOf(certs_.client, &certs_.authority), Only());
  }

  TestCerts certs_;
};

INSTANTIATE_TEST_SUITE_P(Versions, Stage, ::testing::Values(Version::kTls12, Version::kTls13),
                         [](const auto& info) {
                           return info.param == Version::kTls12 ? "Tls12" : "Tls13";
                         });

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 131 + (i >> 9));
  return text;
}

TEST_P(Stage, ShakesHandsAndCarriesBothWays) {
  Pair pair({.server = Server(), .client = Client()});
  EXPECT_TRUE(pair.client->HasOutput());
  EXPECT_FALSE(pair.server->HasOutput());
  pair.Exchange();
  ASSERT_TRUE(pair.BothOpen()) << pair.client->error() << pair.server->error();
  EXPECT_EQ(Give(*pair.server, Seal(*pair.client, "ping")), "ping");
  EXPECT_EQ(Give(*pair.client, Seal(*pair.server, "pong")), "pong");
  const PeerInfo info = pair.server->peer();
  EXPECT_EQ(info.protocol, GetParam() == Version::kTls12 ? "TLSv1.2" : "TLSv1.3");
  EXPECT_THAT(info.cipher, HasSubstr("AES"));
  EXPECT_GE(info.cipher_bits, 128);
  EXPECT_EQ(info.sni, "server.example");
  EXPECT_EQ(info.subject, "");
  EXPECT_FALSE(info.certificate_verified);
  EXPECT_TRUE(pair.client->peer().certificate_verified);
  EXPECT_EQ(pair.client->peer().subject, "CN=server.example");
}

TEST_P(Stage, CarriesApplicationDataThatFollowsTheHandshakeInTheSameRead) {
  Pair pair({.server = Server(), .client = Client()});
  while (pair.client->state() == State::kHandshake) {
    Give(*pair.server, TakeOutput(*pair.client));
    Give(*pair.client, TakeOutput(*pair.server));
  }
  std::string wire = TakeOutput(*pair.client);
  wire += Seal(*pair.client, "at once");
  EXPECT_EQ(Give(*pair.server, wire), "at once");
}

TEST_P(Stage, IsIndifferentToFragmentation) {
  Pair pair({.server = ServerWithCa(),
             .client = ClientWithCertificate(),
             .client_auth = ClientAuth::kRequire});
  pair.Exchange(1);
  ASSERT_TRUE(pair.BothOpen()) << pair.client->error() << pair.server->error();
  const std::string text = Pattern(40'000);
  EXPECT_EQ(Give(*pair.server, Seal(*pair.client, text), 1), text);
}

TEST_P(Stage, CarriesLargeDataThroughTinySpans) {
  Pair pair({.server = Server(), .client = Client()});
  pair.Exchange();
  const std::string text = Pattern(1'000'000);
  for (const size_t step : {size_t{1}, size_t{7}, size_t{129}, size_t{2176}, size_t{17'000}}) {
    const std::string part = text.substr(0, step < 100 ? 50'000 : text.size());
    const std::string wire = Seal(*pair.client, part, step);
    EXPECT_EQ(Give(*pair.server, wire, 1u << 20, step), part) << step;
    EXPECT_EQ(Give(*pair.client, Seal(*pair.server, part, step), 5, step), part) << step;
  }
}

TEST_P(Stage, FillsRecordsWhereThereIsRoom) {
  Pair pair({.server = Server(), .client = Client()});
  pair.Exchange();
  const std::string wire = Seal(*pair.client, Pattern(10 * 16384), 256 * 1024);
  EXPECT_LT(wire.size(), 10 * (16384 + 64u));
  std::string out(17 * 1024, '\0');
  const auto done = pair.client->Write(Bytes(Pattern(16384)),
                                       {reinterpret_cast<uint8_t*>(out.data()), out.size()});
  EXPECT_EQ(done.consumed, 16384u);
  EXPECT_FALSE(pair.client->HasOutput());
}

TEST_P(Stage, SaysWhenPlaintextIsLeftInside) {
  Pair pair({.server = Server(), .client = Client()});
  pair.Exchange();
  const std::string wire = Seal(*pair.client, "abcdef");
  EXPECT_FALSE(pair.server->HasPlaintext());
  uint8_t out[4];
  auto done = pair.server->Read(Bytes(wire), absl::MakeSpan(out));
  EXPECT_EQ(done.consumed, wire.size());
  EXPECT_EQ(done.produced, 4u);
  EXPECT_TRUE(pair.server->HasPlaintext());
  done = pair.server->Read({}, absl::MakeSpan(out));
  EXPECT_EQ(done.produced, 2u);
  EXPECT_FALSE(pair.server->HasPlaintext());
}

TEST_P(Stage, LeavesInputAloneWithoutRoomForPlaintext) {
  Pair pair({.server = Server(), .client = Client()});
  pair.Exchange();
  std::string wire = Seal(*pair.client, "abc");
  wire += Seal(*pair.client, "def");
  const auto done = pair.server->Read(Bytes(wire), {});
  EXPECT_EQ(done.consumed, 0u);
  EXPECT_EQ(Give(*pair.server, wire), "abcdef");
}

TEST_P(Stage, WaitsForTheRestOfWhateverIsCut) {
  const auto server = Server();
  const auto client = Client();
  Pair whole({.server = server, .client = client});
  const std::string hello = TakeOutput(*whole.client);
  for (size_t cut = 0; cut < hello.size(); ++cut) {
    auto stage = TlsStage::Server(server, {});
    Give(*stage, hello.substr(0, cut));
    ASSERT_EQ(stage->state(), State::kHandshake) << cut << stage->error();
    ASSERT_FALSE(stage->HasOutput()) << cut;
    Give(*stage, hello.substr(cut));
    ASSERT_TRUE(stage->HasOutput()) << cut;
  }
  Give(*whole.server, hello);
  whole.Exchange();
  ASSERT_TRUE(whole.BothOpen());
  const std::string wire = Seal(*whole.client, "a line of text");
  for (size_t cut = 0; cut < wire.size(); ++cut) {
    Pair pair({.server = server, .client = client});
    pair.Exchange();
    const std::string record = Seal(*pair.client, "a line of text");
    ASSERT_EQ(Give(*pair.server, record.substr(0, cut)), "") << cut;
    ASSERT_EQ(pair.server->state(), State::kOpen);
    ASSERT_FALSE(pair.server->HasPlaintext());
    ASSERT_EQ(Give(*pair.server, record.substr(cut)), "a line of text") << cut;
  }
}

TEST_P(Stage, CaresNotForErrorsThatOthersLeftOnItsThread) {
  Pair pair({.server = Server(), .client = Client()});
  pair.Exchange();
  ASSERT_TRUE(pair.BothOpen());
  const std::string wire = Seal(*pair.client, "across");
  ERR_raise(ERR_LIB_X509, X509_R_INVALID_FIELD_NAME);
  std::string plain = Give(*pair.server, wire.substr(0, wire.size() - 1));
  EXPECT_EQ(pair.server->state(), State::kOpen) << pair.server->error();
  ERR_raise(ERR_LIB_X509, X509_R_INVALID_FIELD_NAME);
  plain += Give(*pair.server, wire.substr(wire.size() - 1));
  EXPECT_EQ(plain, "across");
  ERR_clear_error();
}

TEST_P(Stage, FailsOnEveryFlippedByteOfARecord) {
  const auto server = Server();
  const auto client = Client();
  const size_t size = [&] {
    Pair pair({.server = server, .client = client});
    pair.Exchange();
    return Seal(*pair.client, "secret").size();
  }();
  for (size_t at = 0; at < size; ++at) {
    Pair pair({.server = server, .client = client});
    pair.Exchange();
    std::string record = Seal(*pair.client, "secret");
    record[at] = static_cast<char>(record[at] ^ 0x20);
    // Behind a record made longer OpenSSL waits for the rest, which must not help it.
    std::string plain = Give(*pair.server, record);
    for (int i = 0; i < 2 && pair.server->state() == State::kOpen; ++i) {
      plain += Give(*pair.server, Pattern(20'000));
    }
    EXPECT_EQ(plain, "") << at;
    ASSERT_EQ(pair.server->state(), State::kFailed) << at;
    EXPECT_FALSE(pair.server->error().empty());
    EXPECT_FALSE(pair.server->HasPlaintext());
  }
}

TEST_P(Stage, RefusesGarbageForAHandshake) {
  const auto server = Server();
  for (const std::string& start :
       {std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Pattern(1000), std::string(100, '\xff'),
        std::string("\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff", 10)}) {
    auto stage = TlsStage::Server(server, {});
    Give(*stage, start, 3);
    EXPECT_EQ(stage->state(), State::kFailed);
    EXPECT_FALSE(stage->error().empty());
  }
}

TEST_P(Stage, NamesPlaintextAmqp) {
  for (const size_t piece : {size_t{1}, size_t{8}, size_t{100}}) {
    auto server = TlsStage::Server(Server(), {});
    Give(*server, std::string("AMQP\x00\x01\x00\x00", 8) + std::string(40, 'x'), piece);
    EXPECT_EQ(server->state(), State::kFailed);
    EXPECT_EQ(server->error(), "plaintext AMQP on a TLS port");
    auto client = TlsStage::Client(Client(), {.server_name = "server.example"});
    Give(*client, std::string("AMQP\x03\x01\x00\x00", 8), piece);
    EXPECT_EQ(client->error(), "the peer speaks plaintext AMQP, not TLS");
  }
}

TEST_P(Stage, SwallowsInputAfterAFailure) {
  auto server = TlsStage::Server(Server(), {});
  Give(*server, std::string("AMQP\x00\x01\x00\x00", 8));
  uint8_t out[100];
  EXPECT_EQ(server->Read(Bytes("more"), absl::MakeSpan(out)).consumed, 4u);
  EXPECT_EQ(server->Write(Bytes("more"), absl::MakeSpan(out)).consumed, 0u);
  server->Shutdown();
  EXPECT_EQ(server->state(), State::kFailed);
}

TEST_P(Stage, WritesNothingBeforeItIsOpen) {
  Pair pair({.server = Server(), .client = Client()});
  uint8_t out[20'000];
  const auto done = pair.client->Write(Bytes("early"), absl::MakeSpan(out));
  EXPECT_EQ(done.consumed, 0u);
  EXPECT_GT(done.produced, 0u) << "the ClientHello";
  EXPECT_EQ(pair.server->Write(Bytes("early"), absl::MakeSpan(out)).produced, 0u);
}

TEST_P(Stage, SendsNothingAfterShutdownButCloseNotify) {
  Pair pair({.server = Server(), .client = Client()});
  pair.Exchange();
  pair.client->Shutdown();
  pair.client->Shutdown();
  EXPECT_TRUE(pair.client->HasOutput());
  uint8_t out[20'000];
  const auto done = pair.client->Write(Bytes("too late"), absl::MakeSpan(out));
  EXPECT_EQ(done.consumed, 0u);
  EXPECT_FALSE(pair.client->HasOutput());
  EXPECT_EQ(Give(*pair.server, {reinterpret_cast<char*>(out), done.produced}), "");
  EXPECT_EQ(pair.server->state(), State::kPeerClosed);
}

TEST_P(Stage, DeliversWhatCameBeforeCloseNotify) {
  Pair pair({.server = Server(), .client = Client()});
  pair.Exchange();
  std::string wire = Seal(*pair.client, "last words");
  pair.client->Shutdown();
  wire += TakeOutput(*pair.client);
  EXPECT_EQ(Give(*pair.server, wire + "ignored"), "last words");
  EXPECT_EQ(pair.server->state(), State::kPeerClosed);
  // The other half still carries, then closes too.
  wire = Seal(*pair.server, "noted");
  pair.server->Shutdown();
  wire += TakeOutput(*pair.server);
  EXPECT_EQ(Give(*pair.client, wire), "noted");
  EXPECT_EQ(pair.client->state(), State::kPeerClosed);
}

TEST_P(Stage, RefusesVersionsOutsideItsRange) {
  const Version other = GetParam() == Version::kTls12 ? Version::kTls13 : Version::kTls12;
  Pair pair({.server = Server(),
             .client = MustBuild({.ca_pem = certs_.authority.Pem()},
                                 {.min_version = other, .max_version = other})});
  pair.Exchange();
  EXPECT_EQ(pair.server->state(), State::kFailed);
  EXPECT_THAT(pair.server->error(), HasSubstr("unsupported protocol"));
  EXPECT_EQ(pair.client->state(), State::kFailed);
  EXPECT_EQ(pair.client->error(), "the peer refused: protocol version");
}

TEST_P(Stage, AgreesOnTheCipherAskedFor) {
  ContextOptions options = Only();
  options.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
  options.cipher_suites = "TLS_CHACHA20_POLY1305_SHA256";
  Pair pair({.server = MustBuild(BundleOf(certs_.server), options), .client = Client()});
  pair.Exchange();
  ASSERT_TRUE(pair.BothOpen());
  EXPECT_THAT(pair.server->peer().cipher, HasSubstr("CHACHA20"));
  options.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
  options.cipher_suites = "TLS_AES_128_GCM_SHA256";
  Pair mismatch({.server = MustBuild(BundleOf(certs_.server), options),
                 .client = MustBuild({.ca_pem = certs_.authority.Pem()},
                                     {.min_version = GetParam(),
                                      .max_version = GetParam(),
                                      .ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305",
                                      .cipher_suites = "TLS_CHACHA20_POLY1305_SHA256"})});
  mismatch.Exchange();
  EXPECT_EQ(mismatch.server->error(), "no shared cipher");
  EXPECT_EQ(mismatch.client->error(), "the peer refused: handshake failure");
}

TEST_P(Stage, ServesRsaAndEd25519Keys) {
  for (const KeyKind kind : {KeyKind::kRsa, KeyKind::kEd25519}) {
    const TestCert cert =
        certs_.authority.Issue({.alternative_names = "DNS:server.example", .key = kind});
    Pair pair({.server = MustBuild(BundleOf(cert), Only()), .client = Client()});
    pair.Exchange();
    EXPECT_TRUE(pair.BothOpen()) << pair.client->error();
  }
}

TEST_P(Stage, SendsItsIntermediates) {
  const TestCert middle =
      certs_.authority.Issue({.subject = {{"CN", "middle"}}, .authority = true});
  const TestCert leaf({.alternative_names = "DNS:server.example"}, &middle);
  Bundle bundle = BundleOf(leaf);
  Pair without({.server = MustBuild(bundle, Only()), .client = Client()});
  without.Exchange();
  EXPECT_THAT(without.client->error(), HasSubstr("unable to get local issuer certificate"));
  bundle.certificate_pem += middle.Pem();
  Pair with({.server = MustBuild(bundle, Only()), .client = Client()});
  with.Exchange();
  EXPECT_TRUE(with.BothOpen()) << with.client->error();
}

TEST_P(Stage, RefusesToServeWithoutACertificate) {
  auto server = TlsStage::Server(Client(), {});
  EXPECT_EQ(server->state(), State::kFailed);
  EXPECT_EQ(server->error(), "a server needs a certificate");
}

}  // namespace
}  // namespace trunkline::tls::test
