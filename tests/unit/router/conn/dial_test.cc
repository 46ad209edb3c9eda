// Drivers of dialled connections, against accepting ones and against peers that say odd things.

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/sasl.h"
#include "router/conn/driver.h"
#include "tests/unit/router/tls/test_certs.h"

namespace trunkline::conn::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr Time kNow{Seconds(5).ns};

// One end: a router with one connection.
struct End {
  explicit End(const DriverOptions& options)
      : shard({.identity = {.router_id = options.router_id}}, pool),
        driver(std::make_unique<Driver>(options, shard, workspace)) {
    driver->Tick(kNow);
  }

  // Takes what there is to write.
  std::string Pull() {
    driver->Flush(kNow);
    std::string bytes;
    while (true) {
      std::array<iovec, 4> parts;
      const int count = driver->Gather(parts.data(), 4);
      const size_t before = bytes.size();
      for (int i = 0; i < count; ++i) {
        bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
      }
      if (bytes.size() == before) return bytes;
      driver->Wrote(bytes.size() - before);
    }
  }
  void Push(std::string bytes) {
    while (!bytes.empty()) {
      const absl::Span<uint8_t> room = driver->Room();
      const size_t n = std::min(room.size(), bytes.size());
      std::memcpy(room.data(), bytes.data(), n);
      driver->Received(n);
      driver->Parse(kNow);
      bytes.erase(0, n);
    }
  }

  BlockPool pool;
  Workspace workspace{pool};
  core::Shard shard;
  std::unique_ptr<Driver> driver;
};

DriverOptions Dialling() {
  DriverOptions options;
  options.inbound = false;
  options.router_id = "A";
  options.hostname = "b.example";
  return options;
}

DriverOptions Accepting() {
  DriverOptions options;
  options.router_id = "B";
  return options;
}

void Exchange(End& a, End& b) {
  for (int i = 0; i < 20; ++i) {
    b.Push(a.Pull());
    a.Push(b.Pull());
  }
}

// Certificates for both.
struct Certified {
  std::shared_ptr<const tls::Context> Context(const tls::test::TestCert* cert) const {
    tls::Bundle bundle;
    if (cert != nullptr) {
      bundle.certificate_pem = cert->Pem();
      bundle.private_key_pem = cert->key().Pem();
    }
    bundle.ca_pem = certs.authority.Pem();
    return *tls::Context::Build(bundle, {});
  }
  DriverOptions Dialling(const tls::test::TestCert* cert) const {
    DriverOptions options = test::Dialling();
    options.tls = Context(cert);
    options.tls_client.server_name = "server.example";
    return options;
  }
  DriverOptions Accepting() const {
    DriverOptions options = test::Accepting();
    options.tls = Context(&certs.server);
    options.tls_server.client_auth = tls::ClientAuth::kRequest;
    return options;
  }
  tls::test::TestCerts certs;
};

// What `end` writes while it exchanges everything with another, as it is traced from here on;
// `left` is what has left already.
std::vector<std::string> WrittenAsTraced(End& end, const std::string& left = "") {
  const auto queue = std::make_shared<FrameQueue>(FrameQueue::Options{});
  end.driver->TraceFrames({}, {queue});
  End other(Accepting());
  other.Push(left);
  Exchange(end, other);
  std::vector<std::string> written;
  queue->Take([&](FrameLine&& line) {
    if (line.outgoing) written.push_back(line.text);
  });
  return written;
}

TEST(Dial, IsTracedFromItsFirstHeader) {
  End end(Dialling());
  const auto written = WrittenAsTraced(end);
  ASSERT_GE(written.size(), 2u);
  EXPECT_EQ(written[0], "header SASL 1.0.0");
  EXPECT_THAT(written[1], StartsWith("@sasl-init(65)"));
}

TEST(Dial, IsTracedFromTheFirstFrameThatLeavesWhole) {
  End end(Dialling());
  end.driver->Flush(kNow);
  end.driver->Wrote(1);
  const auto written = WrittenAsTraced(end, "A");
  ASSERT_FALSE(written.empty());
  EXPECT_THAT(written[0], StartsWith("@sasl-init(65)"));
}

TEST(Dial, OpensWithSaslAnonymous) {
  End a(Dialling());
  End b(Accepting());
  const std::string first = a.Pull();
  EXPECT_THAT(first, StartsWith(std::string(amqp::kSaslHeader)));
  b.Push(first);
  Exchange(a, b);
  EXPECT_EQ(a.driver->phase(), Phase::kOpen);
  EXPECT_EQ(b.driver->phase(), Phase::kOpen);
  EXPECT_EQ(a.driver->container_id(), "B");
  EXPECT_EQ(b.driver->container_id(), "A");
}

TEST(Dial, ClosesInOrderFromEitherEnd) {
  for (const bool dialled_closes : {false, true}) {
    End a(Dialling());
    End b(Accepting());
    Exchange(a, b);
    (dialled_closes ? a : b).driver->Close({.name = "amqp:connection:forced"});
    Exchange(a, b);
    EXPECT_TRUE(a.driver->Finished());
    EXPECT_TRUE(b.driver->Finished());
    EXPECT_EQ((dialled_closes ? b : a).driver->error(), "amqp:connection:forced");
    EXPECT_EQ((dialled_closes ? a : b).driver->error(), "");
  }
}

TEST(Dial, OpensWithTls) {
  const Certified certified;
  End a(certified.Dialling(nullptr));
  End b(certified.Accepting());
  Exchange(a, b);
  EXPECT_EQ(a.driver->phase(), Phase::kOpen) << a.driver->error() << b.driver->error();
  EXPECT_THAT(a.driver->tls_description(), StartsWith("TLSv1.3"));
  EXPECT_EQ(b.driver->user(), "");
}

TEST(Dial, ShowsItsCertificateWithExternal) {
  const Certified certified;
  DriverOptions options = certified.Dialling(&certified.certs.client);
  options.sasl_mechanisms = {"EXTERNAL"};
  End a(options);
  End b(certified.Accepting());
  Exchange(a, b);
  EXPECT_EQ(a.driver->phase(), Phase::kOpen) << a.driver->error() << b.driver->error();
  EXPECT_THAT(b.driver->user(), HasSubstr("CN=client one"));
  EXPECT_EQ(a.driver->user(), "");
}

TEST(Dial, ShowsTheCertificateThatIsInForceAtItsFirstByte) {
  const Certified certified;
  const auto newest = certified.Context(&certified.certs.client);
  DriverOptions options = certified.Dialling(nullptr);
  options.sasl_mechanisms = {"EXTERNAL"};
  End a(options);
  End b(certified.Accepting());
  EXPECT_TRUE(a.driver->UseTls(newest));
  b.Push(a.Pull());
  EXPECT_FALSE(a.driver->UseTls(newest));
  Exchange(a, b);
  EXPECT_EQ(a.driver->phase(), Phase::kOpen) << a.driver->error() << b.driver->error();
  EXPECT_THAT(b.driver->user(), HasSubstr("CN=client one"));
}

TEST(Dial, RefusesTheWrongServer) {
  const Certified certified;
  DriverOptions options = certified.Dialling(nullptr);
  options.tls_client.server_name = "other.example";
  End a(options);
  End b(certified.Accepting());
  Exchange(a, b);
  EXPECT_TRUE(a.driver->Finished());
  EXPECT_TRUE(b.driver->Finished());
  EXPECT_THAT(a.driver->error(), StartsWith("TLS: certificate of the peer: "));
  EXPECT_THAT(a.driver->error(), HasSubstr("other.example"));
}

TEST(Dial, RefusesAServerWithoutAMechanismItMayUse) {
  DriverOptions options = Dialling();
  options.sasl_mechanisms = {"EXTERNAL"};
  End a(options);
  End b(Accepting());
  Exchange(a, b);
  EXPECT_TRUE(a.driver->Finished());
  EXPECT_NE(a.driver->error(), "");
}

TEST(Dial, RefusesAServerThatSpeaksSomethingElse) {
  for (const std::string& answer :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("AMQP\x00\x00\x09\x01", 8),
        std::string(amqp::kAmqpHeader), std::string(100, '\xff')}) {
    End a(Dialling());
    a.Pull();
    a.Push(answer);
    a.driver->Flush(kNow);
    EXPECT_EQ(a.driver->phase(), Phase::kClosed) << testing::PrintToString(answer);
    EXPECT_NE(a.driver->error(), "");
  }
}

TEST(Dial, TellsPlaintextServersFromTlsOnes) {
  const Certified certified;
  End a(certified.Dialling(nullptr));
  End b(Accepting());
  Exchange(a, b);
  EXPECT_TRUE(a.driver->Finished());
  EXPECT_TRUE(b.driver->Finished());
  EXPECT_EQ(a.driver->error(), "TLS: the peer speaks plaintext AMQP, not TLS");
  EXPECT_EQ(b.driver->error(), "TLS on a plaintext AMQP port");
}

}  // namespace
}  // namespace trunkline::conn::test
