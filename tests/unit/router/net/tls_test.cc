#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/tls/context.h"
#include "tests/unit/router/net/router_fixture.h"
#include "tests/unit/router/tls/test_certs.h"

namespace trunkline::net::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::shared_ptr<const tls::Context> ContextOf(const tls::Bundle& bundle) {
  auto context = tls::Context::Build(bundle, {});
  EXPECT_TRUE(context.ok()) << context.status();
  return *std::move(context);
}

// An authority with one server certificate for 127.0.0.1.
struct Side {
  tls::test::TestAuthority authority;
  tls::test::TestCert server =
      authority.Issue({.subject = {{"CN", "server"}}, .alternative_names = "IP:127.0.0.1"});

  std::shared_ptr<const tls::Context> Server() const {
    return ContextOf({.certificate_pem = server.Pem(), .private_key_pem = server.key().Pem()});
  }
  ClientOptions Client() const {
    ClientOptions options;
    options.tls = ContextOf({.ca_pem = authority.Pem()});
    options.tls_client.server_name = "127.0.0.1";
    return options;
  }
};

ListenerSpec TlsListener() {
  ListenerSpec spec;
  spec.connection.tls_profile = "server";
  return spec;
}

TEST(Tls, IsSpokenWhereAProfileIsNamed) {
  Side side;
  TestRouter router;
  ASSERT_TRUE(router->SetTls("server", side.Server(), 1).ok());
  const std::string address = router.Listen(TlsListener());
  SocketClient client(address, side.Client());
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->opened(); })) << client->tls_error();
  ASSERT_TRUE(RunUntil({&client}, [&] { return router.Last<ConnectionUp>().has_value(); }));
  EXPECT_THAT(router.Last<ConnectionUp>()->tls, StartsWith("TLSv1.3 "));
  SocketClient plain(address);
  EXPECT_TRUE(RunUntil({&plain}, [&] { return plain.ended(); }));
  EXPECT_FALSE(plain->opened());
}

TEST(Tls, ANewCertificateIsUsedByTheNextHandshakeAndOldConnectionsStay) {
  Side before;
  Side after;
  TestRouter router;
  ASSERT_TRUE(router->SetTls("server", before.Server(), 1).ok());
  const std::string address = router.Listen(TlsListener());
  SocketClient old(address, before.Client());
  ASSERT_TRUE(RunUntil({&old}, [&] { return old->opened(); })) << old->tls_error();
  for (int round = 0; round < 20; ++round) {
    Side& side = round % 2 == 0 ? after : before;
    Side& other = round % 2 == 0 ? before : after;
    ASSERT_TRUE(router->SetTls("server", side.Server(), static_cast<uint64_t>(round + 2)).ok());
    SocketClient next(address, side.Client());
    ASSERT_TRUE(RunUntil({&next}, [&] { return next->opened(); })) << next->tls_error();
    SocketClient distrustful(address, other.Client());
    ASSERT_TRUE(RunUntil({&distrustful}, [&] { return !distrustful->tls_error().empty(); }));
  }
  const auto link = old->Receiver("still here");
  EXPECT_TRUE(RunUntil({&old}, [&] { return old->link(link).attached; }));
}

TEST(Tls, AFailedHandshakeIsToldWithItsReason) {
  Side side;
  TestRouter router;
  ASSERT_TRUE(router->SetTls("server", side.Server(), 1).ok());
  SocketClient distrustful(router.Listen(TlsListener()), Side().Client());
  ASSERT_TRUE(RunUntil({&distrustful}, [&] { return router.Last<ConnectionDown>().has_value(); }));
  EXPECT_FALSE(router.Last<ConnectionDown>()->was_open);
  EXPECT_NE(router.Last<ConnectionDown>()->error, "");
}

TEST(Tls, AProfileGoesWhenNobodyNamesIt) {
  Side side;
  TestRouter router;
  EXPECT_EQ(router->RemoveTls("server"),
            absl::NotFoundError("TLS profile \"server\" does not exist"));
  ASSERT_TRUE(router->SetTls("server", side.Server(), 1).ok());
  const std::string address = router.Listen(TlsListener());
  SocketClient client(address, side.Client());
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->opened(); })) << client->tls_error();
  EXPECT_EQ(router->RemoveTls("server"),
            absl::FailedPreconditionError("TLS profile \"server\" is used by listener \"in\""));
  ASSERT_TRUE(router->RemoveListener("in").ok());

  ConnectorSpec connector;
  connector.name = "out";
  connector.host = {"127.0.0.1", 1};
  connector.connection.tls_profile = "server";
  ASSERT_TRUE(router->Apply(connector).ok());
  EXPECT_EQ(router->RemoveTls("server"),
            absl::FailedPreconditionError("TLS profile \"server\" is used by connector \"out\""));
  ASSERT_TRUE(router->RemoveConnector("out").ok());

  EXPECT_TRUE(router->RemoveTls("server").ok());
  EXPECT_EQ(router->Apply(connector).code(), absl::StatusCode::kNotFound);
  const auto link = client->Receiver("still here");
  EXPECT_TRUE(RunUntil({&client}, [&] { return client->link(link).attached; }));
}

TEST(Tls, AConnectorVerifiesWhomItDials) {
  Side side;
  TestRouter server;
  ASSERT_TRUE(server->SetTls("server", side.Server(), 1).ok());
  const std::string address = server.Listen(TlsListener());
  TestRouter client;
  ASSERT_TRUE(client->SetTls("trusting", ContextOf({.ca_pem = side.authority.Pem()}), 1).ok());
  ASSERT_TRUE(client->SetTls("distrustful", ContextOf({.ca_pem = Side().authority.Pem()}), 2).ok());
  ConnectorSpec spec;
  spec.name = "good";
  spec.host = {"127.0.0.1", static_cast<uint16_t>(std::stoi(address.substr(10)))};
  spec.connection.tls_profile = "trusting";
  ASSERT_TRUE(client->Apply(spec).ok());
  ASSERT_TRUE(RunUntil({}, [&] { return client.Last<ConnectionUp>().has_value(); }));
  EXPECT_EQ(client.Last<ConnectionUp>()->owner, "good");
  EXPECT_FALSE(client.Last<ConnectionUp>()->inbound);

  spec.name = "untrusted";
  spec.connection.tls_profile = "distrustful";
  ASSERT_TRUE(client->Apply(spec).ok());
  ASSERT_TRUE(RunUntil({}, [&] { return client.Last<ConnectorFailed>().has_value(); }));
  EXPECT_EQ(client.Last<ConnectorFailed>()->name, "untrusted");
  EXPECT_THAT(client.Last<ConnectorFailed>()->error, HasSubstr("certificate"));

  spec.name = "misnamed";
  spec.connection.tls_profile = "trusting";
  spec.server_name = "somebody.else";
  ASSERT_TRUE(client->Apply(spec).ok());
  ASSERT_TRUE(RunUntil({}, [&] { return client.Last<ConnectorFailed>()->name == "misnamed"; }));
}

}  // namespace
}  // namespace trunkline::net::test
