#include <openssl/ssl.h>

#include <cstdint>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/tls/stage.h"
#include "tests/unit/router/tls/session_pair.h"

namespace trunkline::tls::test {
namespace {

using ::testing::HasSubstr;
using State = TlsStage::State;

// A client of plain OpenSSL with everything allowed that our own contexts forbid.
class LaxClient {
 public:
  explicit LaxClient(int version) : ctx_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(ctx_, version);
    SSL_CTX_set_max_proto_version(ctx_, version);
    SSL_CTX_set_session_cache_mode(ctx_, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_set_app_data(ctx_, this);
    SSL_CTX_sess_set_new_cb(ctx_, [](SSL* ssl, SSL_SESSION* session) {
      auto* self = static_cast<LaxClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
      if (SSL_SESSION_has_ticket(session) != 0) ++self->tickets_;
      return 0;
    });
  }
  ~LaxClient() {
    SSL_free(ssl_);
    SSL_CTX_free(ctx_);
  }
  LaxClient(const LaxClient&) = delete;
  LaxClient& operator=(const LaxClient&) = delete;

  // A fresh connection, resuming `session` if that is not null.
  void Connect(SSL_SESSION* session) {
    SSL_free(ssl_);
    ssl_ = SSL_new(ctx_);
    to_client_ = BIO_new(BIO_s_mem());
    to_server_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_, to_client_, to_server_);
    SSL_set_connect_state(ssl_);
    if (session != nullptr) SSL_set_session(ssl_, session);
  }

  // Lets OpenSSL work on what it has, then carries bytes to the server.
  void Speak(TlsStage& server) {
    SSL_do_handshake(ssl_);
    char ignored[16];
    if (SSL_is_init_finished(ssl_) == 1) SSL_read(ssl_, ignored, sizeof(ignored));
    Give(server, Wire());
  }
  void Listen(TlsStage& server) {
    const std::string wire = TakeOutput(server);
    BIO_write(to_client_, wire.data(), static_cast<int>(wire.size()));
  }
  void Handshake(TlsStage& server) {
    for (int turn = 0; turn < 4; ++turn) {
      Speak(server);
      Listen(server);
    }
    Speak(server);
  }
  // What OpenSSL wants to send.
  std::string Wire() {
    std::string wire(BIO_ctrl_pending(to_server_), '\0');
    if (!wire.empty()) BIO_read(to_server_, wire.data(), static_cast<int>(wire.size()));
    return wire;
  }

  SSL* ssl() { return ssl_; }
  int tickets() const { return tickets_; }

 private:
  SSL_CTX* ctx_;
  SSL* ssl_ = nullptr;
  BIO* to_client_ = nullptr;
  BIO* to_server_ = nullptr;
  int tickets_ = 0;
};

TEST(Hardening, ServersNeverResumeASession) {
  TestCerts certs;
  const auto context = MustBuild(BundleOf(certs.server));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    LaxClient client(version);
    SSL_SESSION* session = nullptr;
    for (int round = 0; round < 2; ++round) {
      client.Connect(session);
      auto server = TlsStage::Server(context, {});
      client.Handshake(*server);
      ASSERT_EQ(server->state(), State::kOpen) << server->error();
      EXPECT_EQ(SSL_session_reused(client.ssl()), 0);
      SSL_SESSION_free(session);
      session = SSL_get1_session(client.ssl());
      EXPECT_EQ(SSL_SESSION_has_ticket(session), 0);
      EXPECT_EQ(client.tickets(), 0);
      unsigned int id_size = 1;
      SSL_SESSION_get_id(session, &id_size);
      EXPECT_EQ(id_size, 0u);
    }
    SSL_SESSION_free(session);
  }
}

TEST(Hardening, ClientsKeepNoSession) {
  TestCerts certs;
  const auto context = MustBuild(BundleOf(certs.client, &certs.authority));
  auto* ctx = static_cast<SSL_CTX*>(context->native());
  EXPECT_EQ(SSL_CTX_get_session_cache_mode(ctx), SSL_SESS_CACHE_OFF);
  EXPECT_NE(SSL_CTX_get_options(ctx) & SSL_OP_NO_TICKET, 0u);
  EXPECT_NE(SSL_CTX_get_options(ctx) & SSL_OP_NO_COMPRESSION, 0u);
}

TEST(Hardening, RenegotiationIsRefused) {
  TestCerts certs;
  LaxClient client(TLS1_2_VERSION);
  client.Connect(nullptr);
  auto server = TlsStage::Server(MustBuild(BundleOf(certs.server)), {});
  client.Handshake(*server);
  ASSERT_EQ(server->state(), State::kOpen);
  ASSERT_EQ(SSL_renegotiate(client.ssl()), 1);
  for (int turn = 0; turn < 4; ++turn) {
    client.Speak(*server);
    client.Listen(*server);
  }
  EXPECT_EQ(SSL_total_renegotiations(client.ssl()), 1) << "asked for";
  EXPECT_EQ(SSL_is_init_finished(client.ssl()), 0) << "and not given";
}

// Key updates that ask for one in return, without ever reading the answers.
std::string KeyUpdates(LaxClient& client, int count) {
  std::string wire;
  for (int i = 0; i < count; ++i) {
    SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(client.ssl());
    wire += client.Wire();
  }
  return wire;
}

TEST(Hardening, KeyUpdatesAreAnsweredUpToABound) {
  TestCerts certs;
  LaxClient client(TLS1_3_VERSION);
  client.Connect(nullptr);
  auto server = TlsStage::Server(MustBuild(BundleOf(certs.server)), {});
  client.Handshake(*server);
  Give(*server, KeyUpdates(client, 100));
  EXPECT_EQ(server->state(), State::kOpen) << server->error();
  EXPECT_TRUE(server->HasOutput());
  client.Listen(*server);
  client.Speak(*server);
  SSL_write(client.ssl(), "after", 5);
  EXPECT_EQ(Give(*server, client.Wire()), "after");

  Give(*server, KeyUpdates(client, 30'000));
  EXPECT_EQ(server->state(), State::kFailed);
  EXPECT_EQ(server->error(), "the peer makes us answer without end");
  EXPECT_LE(TakeOutput(*server).size(), 256u << 10);
}

TEST(Hardening, KeysChangeAfterManyRecords) {
  TestCerts certs;
  Pair pair({.server = MustBuild(BundleOf(certs.server)),
             .client = MustBuild({.ca_pem = certs.authority.Pem()})});
  pair.Exchange();
  uint8_t out[64 * 1024];
  uint8_t plain[16];
  // A byte per record; the one with the key update is longer.
  size_t longest = 0;
  int updates = 0;
  for (int i = 0; i < (1 << 20) + 10; ++i) {
    const auto sent = pair.client->Write(Bytes("x"), absl::MakeSpan(out));
    if (longest != 0 && sent.produced > longest) ++updates;
    if (longest == 0) longest = sent.produced;
    const auto got = pair.server->Read({out, sent.produced}, absl::MakeSpan(plain));
    ASSERT_EQ(got.produced, 1u) << i << pair.server->error();
  }
  EXPECT_EQ(updates, 1);
  EXPECT_FALSE(pair.server->HasOutput()) << "no update is asked for in return";
}

TEST(Hardening, OversizedHandshakeMessagesAreRefused) {
  TestCerts certs;
  auto server = TlsStage::Server(MustBuild(BundleOf(certs.server)), {});
  // A ClientHello that claims 16 MiB, and the records to fill it.
  std::string wire("\x16\x03\x01\x40\x00\x01\xff\xff\xff", 9);
  wire.append(16384 - 4, '\0');
  for (int i = 0; i < 20 && server->state() == State::kHandshake; ++i) Give(*server, wire);
  EXPECT_EQ(server->state(), State::kFailed);
  EXPECT_THAT(server->error(), HasSubstr("excessive message size"));
}

}  // namespace
}  // namespace trunkline::tls::test
