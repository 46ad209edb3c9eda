#include "router/net/tls_use.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/tls/context.h"
#include "tests/unit/router/net/router_fixture.h"
#include "tests/unit/router/tls/test_certs.h"

namespace trunkline {

// For failures.
void PrintTo(const TlsConnections& use, std::ostream* out) {
  *out << use.profile << "/" << use.revision << ": " << use.connections;
}
bool operator==(const TlsConnections& a, const TlsConnections& b) {
  return a.profile == b.profile && a.revision == b.revision && a.connections == b.connections;
}

}  // namespace trunkline

namespace trunkline::net::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Uses = std::vector<TlsConnections>;

std::shared_ptr<const tls::Context> ContextOf(const tls::Bundle& bundle) {
  auto context = tls::Context::Build(bundle, {});
  EXPECT_TRUE(context.ok()) << context.status();
  return *std::move(context);
}

// A router with a TLS listener whose certificate is replaced; all are of one authority.
struct Service {
  explicit Service(int workers = 1) : router({.workers = workers}) {
    Rotate(1);
    ListenerSpec spec;
    spec.connection.tls_profile = "service";
    address = router.Listen(spec);
  }

  void Rotate(uint64_t revision) {
    const auto cert = authority.Issue({.alternative_names = "IP:127.0.0.1"});
    const auto context =
        ContextOf({.certificate_pem = cert.Pem(), .private_key_pem = cert.key().Pem()});
    ASSERT_TRUE(router->SetTls("service", context, revision).ok());
  }
  // Another authority too: clients of the one before are at a loss.
  void RotateAll(uint64_t revision) {
    authority = tls::test::TestAuthority();
    Rotate(revision);
  }
  std::unique_ptr<SocketClient> Client() const {
    ClientOptions options;
    options.tls = ContextOf({.ca_pem = authority.Pem()});
    options.tls_client.server_name = "127.0.0.1";
    return std::make_unique<SocketClient>(address, options);
  }
  std::unique_ptr<SocketClient> OpenClient() const {
    auto client = Client();
    EXPECT_TRUE(RunUntil({client.get()}, [&] { return (*client)->opened(); }))
        << (*client)->tls_error();
    return client;
  }
  // Until the router knows of so many.
  bool Becomes(const std::vector<SocketClient*>& clients, const Uses& uses) {
    return RunUntil(clients, [&] { return router->ConnectionsByTls() == uses; });
  }

  TestRouter router;
  tls::test::TestAuthority authority;
  std::string address;
};

TEST(TlsUse, AHandshakeUsesWhatIsInForceAtItsFirstByte) {
  for (const int workers : {1, 3}) {
    Service service(workers);
    // They are accepted, and say nothing for a while.
    std::vector<std::unique_ptr<SocketClient>> early;
    for (int i = 0; i < 6; ++i) early.push_back(service.Client());
    ASSERT_TRUE(RunUntil({}, [&] { return service.router->Counters().connections_now == 6; }));
    service.RotateAll(2);
    auto next = service.Client();  // trusts the new authority alone
    ASSERT_TRUE(RunUntil({next.get()}, [&] { return (*next)->opened(); })) << (*next)->tls_error();
    for (const auto& client : early) {
      // It trusts the old authority alone, so it sees that the certificate is the new one.
      ASSERT_TRUE(RunUntil({client.get()}, [&] { return !(*client)->tls_error().empty(); }));
    }
    EXPECT_TRUE(service.Becomes({next.get()}, {{"service", 2, 1}}));
    const auto ups = service.router.All<ConnectionUp>();
    ASSERT_EQ(ups.size(), 1u);
    EXPECT_EQ(ups[0].tls_profile, "service");
    EXPECT_EQ(ups[0].tls_revision, 2u);
  }
}

TEST(TlsUse, AHandshakeThatHasBegunGoesOnAsItBegan) {
  Service service;
  auto slow = service.Client();
  slow->Write();  // its hello goes out
  ASSERT_TRUE(RunUntil({}, [&] { return service.router->Counters().bytes_read > 0; }));
  service.RotateAll(2);
  ASSERT_TRUE(RunUntil({slow.get()}, [&] { return (*slow)->opened(); })) << (*slow)->tls_error();
  EXPECT_TRUE(service.Becomes({slow.get()}, {{"service", 1, 1}, {"service", 2, 0}}));
}

TEST(TlsUse, CountsConnectionsByRevision) {
  Service service(2);
  EXPECT_THAT(service.router->ConnectionsByTls(), ElementsAre(TlsConnections{"service", 1, 0}));
  auto first = service.OpenClient();
  auto second = service.OpenClient();
  service.Rotate(2);
  auto third = service.OpenClient();
  EXPECT_TRUE(service.Becomes({first.get(), second.get(), third.get()},
                              {{"service", 1, 2}, {"service", 2, 1}}));
  service.Rotate(7);
  first->HangUp();
  third->HangUp();
  EXPECT_TRUE(service.Becomes({second.get()}, {{"service", 1, 1}, {"service", 7, 0}}));
  second->HangUp();
  EXPECT_TRUE(service.Becomes({}, {{"service", 7, 0}}));
}

TEST(TlsUse, KnowsNothingOfPlainConnections) {
  TestRouter router;
  SocketClient client(router.Listen());
  ASSERT_TRUE(RunUntil({&client}, [&] { return router.Last<ConnectionUp>().has_value(); }));
  EXPECT_EQ(router.Last<ConnectionUp>()->tls_revision, 0u);
  EXPECT_THAT(router->ConnectionsByTls(), IsEmpty());
}

TEST(TlsUse, RemovingAProfileLeavesItsConnections) {
  Service service;
  auto client = service.OpenClient();
  ASSERT_TRUE(service.router->RemoveListener("in").ok());
  ASSERT_TRUE(service.router->RemoveTls("service").ok());
  EXPECT_TRUE(service.Becomes({client.get()}, {{"service", 1, 1}}));
  service.Rotate(2);  // another of the same name
  EXPECT_TRUE(service.Becomes({client.get()}, {{"service", 1, 1}, {"service", 2, 0}}));
  client->HangUp();
  EXPECT_TRUE(service.Becomes({}, {{"service", 2, 0}}));
}

// Even under the same number.
TEST(TlsUse, AProfileThatIsMadeAnewIsAnother) {
  Service service;
  auto early = service.Client();
  ASSERT_TRUE(RunUntil({}, [&] { return service.router->Counters().connections_now == 1; }));
  ASSERT_TRUE(service.router->RemoveListener("in").ok());
  ASSERT_TRUE(service.router->RemoveTls("service").ok());
  service.RotateAll(1);
  EXPECT_TRUE(RunUntil({early.get()}, [&] { return !(*early)->tls_error().empty(); }));
}

TEST(RetireTls, EndsOldConnectionsInOrderAndLeavesTheNewest) {
  Service service(2);
  auto first = service.OpenClient();
  auto second = service.OpenClient();
  service.Rotate(2);
  auto third = service.OpenClient();
  ASSERT_TRUE(service.Becomes({}, {{"service", 1, 2}, {"service", 2, 1}}));
  const auto count = service.router->RetireTls({.profile = "service", .before = 2});
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(*count, 2u);
  const std::vector<SocketClient*> all = {first.get(), second.get(), third.get()};
  ASSERT_TRUE(RunUntil(all, [&] { return (*first)->closed() && (*second)->closed(); }));
  EXPECT_EQ((*first)->close_error().name, "amqp:connection:forced");
  EXPECT_EQ((*first)->close_error().description, "its certificate was replaced");
  EXPECT_TRUE(service.Becomes(all, {{"service", 2, 1}}));
  const auto link = (*third)->Receiver("still here");
  EXPECT_TRUE(RunUntil(all, [&] { return (*third)->link(link).attached; }));
}

TEST(RetireTls, EndsOneAfterTheOtherTheOldestFirst) {
  Service service;
  std::vector<std::unique_ptr<SocketClient>> clients;
  std::vector<SocketClient*> all;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(service.OpenClient());
    all.push_back(clients.back().get());
  }
  service.Rotate(2);
  ASSERT_TRUE(service.Becomes(all, {{"service", 1, 4}, {"service", 2, 0}}));
  std::vector<size_t> order;
  ASSERT_TRUE(service.router
                  ->RetireTls({.profile = "service",
                               .before = 2,
                               .after = Milliseconds(100),
                               .interval = Milliseconds(100)})
                  .ok());
  EXPECT_TRUE(RunUntil(all, [&] {
    for (size_t i = 0; i < clients.size(); ++i) {
      const bool told = std::find(order.begin(), order.end(), i) != order.end();
      if ((*clients[i])->closed() && !told) order.push_back(i);
    }
    return order.size() == 4;
  }));
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
}

TEST(RetireTls, LeavesThemUntilTheirTimeHasCome) {
  Service service;
  auto client = service.OpenClient();
  service.Rotate(2);
  ASSERT_TRUE(
      service.router->RetireTls({.profile = "service", .before = 2, .after = kMinute}).ok());
  const auto link = (*client)->Receiver("still here");
  EXPECT_TRUE(RunUntil({client.get()}, [&] { return (*client)->link(link).attached; }));
  EXPECT_FALSE((*client)->closed());
  // Somebody has lost patience.
  ASSERT_TRUE(service.router->RetireTls({.profile = "service", .before = 2}).ok());
  EXPECT_TRUE(RunUntil({client.get()}, [&] { return (*client)->closed(); }));
}

TEST(RetireTls, EndsWhoHadOnlyBegunHisHandshake) {
  Service service;
  auto slow = service.Client();
  slow->Write();
  ASSERT_TRUE(RunUntil({}, [&] { return service.router->Counters().bytes_read > 0; }));
  service.Rotate(2);
  const auto count = service.router->RetireTls({.profile = "service", .before = 2});
  ASSERT_TRUE(count.ok());
  EXPECT_EQ(*count, 0u);
  EXPECT_TRUE(RunUntil({slow.get()}, [&] { return (*slow)->closed(); }));
}

TEST(RetireTls, NeedsAProfile) {
  Service service;
  EXPECT_EQ(service.router->RetireTls({.profile = "other", .before = 2}).status(),
            absl::NotFoundError("TLS profile \"other\" does not exist"));
}

}  // namespace
}  // namespace trunkline::net::test
