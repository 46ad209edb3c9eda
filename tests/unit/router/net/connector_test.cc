#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/unit/router/net/router_fixture.h"

namespace trunkline::net::test {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// A listening socket of the test: whom the router dials.
class Target {
 public:
  Target() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_.get(), 16), 0);
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }

  HostPort place() const { return {"127.0.0.1", port_}; }
  void Close() { fd_.Reset(); }
  // The next connection; invalid if none comes in time.
  Descriptor Accept() {
    pollfd waiting{fd_.get(), POLLIN, 0};
    return Descriptor(poll(&waiting, 1, 20'000) == 1 ? accept(fd_.get(), nullptr, nullptr) : -1);
  }

 private:
  Descriptor fd_;
  uint16_t port_ = 0;
};

ConnectorSpec SpecFor(const Target& target) {
  ConnectorSpec spec;
  spec.name = "out";
  spec.host = target.place();
  spec.backoff_failed = Milliseconds(20);
  spec.backoff_closed = Milliseconds(10);
  spec.backoff_failover = Milliseconds(5);
  return spec;
}

TEST(Connector, ConnectsOneRouterToAnother) {
  TestRouter server;
  const std::string address = server.Listen();
  TestRouter client;
  ConnectorSpec spec;
  spec.name = "out";
  spec.host = {"localhost", static_cast<uint16_t>(std::stoi(address.substr(10)))};
  ASSERT_TRUE(client->Apply(spec).ok());
  ASSERT_TRUE(RunUntil({}, [&] {
    return client.Last<ConnectionUp>().has_value() && server.Last<ConnectionUp>().has_value();
  }));
  EXPECT_EQ(client.Last<ConnectionUp>()->owner, "out");
  EXPECT_EQ(client.Last<ConnectionUp>()->peer, address);
  EXPECT_FALSE(client.Last<ConnectionUp>()->inbound);
}

TEST(Connector, TellsOfFailuresAndWhenItTriesAgain) {
  Target target;
  target.Close();
  TestRouter router;
  ConnectorSpec spec = SpecFor(target);
  ASSERT_TRUE(router->Apply(spec).ok());
  ASSERT_TRUE(RunUntil({}, [&] { return router.All<ConnectorFailed>().size() >= 3; }));
  const ConnectorFailed failed = *router.Last<ConnectorFailed>();
  EXPECT_EQ(failed.name, "out");
  EXPECT_EQ(failed.peer, "127.0.0.1:" + std::to_string(spec.host.port));
  EXPECT_EQ(failed.error, "Connection refused");
  EXPECT_EQ(failed.retry_in_ms, 20);
}

TEST(Connector, FailsWhenThePeerHangsUpBeforeOpenAndComesBack) {
  Target target;
  TestRouter router;
  ASSERT_TRUE(router->Apply(SpecFor(target)).ok());
  { const Descriptor first = target.Accept(); }
  const Descriptor second = target.Accept();
  EXPECT_TRUE(second);
  ASSERT_TRUE(RunUntil({}, [&] { return router.Last<ConnectorFailed>().has_value(); }));
  EXPECT_NE(router.Last<ConnectorFailed>()->error, "");
  EXPECT_FALSE(router.Last<ConnectionDown>().has_value());
}

TEST(Connector, TimesOutWhenThePeerSaysNothing) {
  Target target;
  TestRouter router;
  ConnectorSpec spec = SpecFor(target);
  spec.connection.handshake_timeout = Milliseconds(50);
  ASSERT_TRUE(router->Apply(spec).ok());
  const Descriptor stream = target.Accept();
  ASSERT_TRUE(RunUntil({}, [&] { return router.Last<ConnectorFailed>().has_value(); }));
  EXPECT_THAT(router.Last<ConnectorFailed>()->error, HasSubstr("Timeout"));
}

TEST(Connector, MovesOnToItsFailoverAfterTwoTries) {
  Target gone;
  gone.Close();
  TestRouter server;
  const std::string address = server.Listen();
  TestRouter client;
  ConnectorSpec spec = SpecFor(gone);
  spec.failover = {{"127.0.0.1", static_cast<uint16_t>(std::stoi(address.substr(10)))}};
  ASSERT_TRUE(client->Apply(spec).ok());
  ASSERT_TRUE(RunUntil({}, [&] { return client.Last<ConnectionUp>().has_value(); }));
  EXPECT_EQ(client.Last<ConnectionUp>()->peer, address);
  ASSERT_THAT(client.All<ConnectorFailed>(), SizeIs(2));
  EXPECT_EQ(client.Last<ConnectorFailed>()->retry_in_ms, 5);
}

TEST(Connector, ComesBackWhenAnOpenConnectionIsLost) {
  TestRouter client;
  auto server = std::make_unique<TestRouter>();
  const std::string address = server->Listen();
  ConnectorSpec spec;
  spec.name = "out";
  spec.host = {"127.0.0.1", static_cast<uint16_t>(std::stoi(address.substr(10)))};
  spec.backoff_closed = Milliseconds(10);
  spec.backoff_failed = Milliseconds(10);
  ASSERT_TRUE(client->Apply(spec).ok());
  ASSERT_TRUE(RunUntil({}, [&] { return client.Last<ConnectionUp>().has_value(); }));
  server.reset();
  ASSERT_TRUE(RunUntil({}, [&] { return client.Last<ConnectionDown>().has_value(); }));
  EXPECT_TRUE(client.Last<ConnectionDown>()->was_open);
  TestRouter again;
  ListenerSpec listener;
  listener.name = "in";
  listener.host = "127.0.0.1";
  listener.port = spec.host.port;
  ASSERT_TRUE(again->Apply(listener).ok());
  EXPECT_TRUE(RunUntil({}, [&] { return client.All<ConnectionUp>().size() == 2; }));
}

TEST(Connector, IsClosedWhenItIsRemoved) {
  TestRouter server;
  const std::string address = server.Listen();
  TestRouter client;
  ConnectorSpec spec;
  spec.name = "out";
  spec.host = {"127.0.0.1", static_cast<uint16_t>(std::stoi(address.substr(10)))};
  ASSERT_TRUE(client->Apply(spec).ok());
  ASSERT_TRUE(RunUntil({}, [&] { return client.Last<ConnectionUp>().has_value(); }));
  ASSERT_TRUE(client->RemoveConnector("out").ok());
  ASSERT_TRUE(RunUntil({}, [&] { return client->Counters().connections_now == 0; }));
  ASSERT_TRUE(RunUntil({}, [&] { return server.Last<ConnectionDown>().has_value(); }));
  EXPECT_EQ(client->RemoveConnector("out").code(), absl::StatusCode::kNotFound);
}

TEST(Connector, DialsAgainWhenItsSpecChangesAndStaysWhenItDoesNot) {
  TestRouter server;
  const std::string address = server.Listen();
  TestRouter client;
  ConnectorSpec spec;
  spec.name = "out";
  spec.host = {"127.0.0.1", static_cast<uint16_t>(std::stoi(address.substr(10)))};
  ASSERT_TRUE(client->Apply(spec).ok());
  ASSERT_TRUE(RunUntil({}, [&] { return client.Last<ConnectionUp>().has_value(); }));
  ASSERT_TRUE(client->Apply(spec).ok());
  spec.connection.max_frame_size = 4096;
  ASSERT_TRUE(client->Apply(spec).ok());
  ASSERT_TRUE(RunUntil({}, [&] { return client.All<ConnectionUp>().size() == 2; }));
  ASSERT_TRUE(RunUntil({}, [&] { return client.All<ConnectionDown>().size() == 1; }));
  EXPECT_EQ(client->Counters().connections_total, 2u);
}

TEST(Connector, MayHaveTheNameOfAListener) {
  TestRouter router;
  const std::string address = router.Listen();
  ConnectorSpec spec;
  spec.name = "in";  // as the listener
  spec.host = {"127.0.0.1", static_cast<uint16_t>(std::stoi(address.substr(10)))};
  ASSERT_TRUE(router->Apply(spec).ok());
  ASSERT_TRUE(RunUntil({}, [&] { return router.All<ConnectionUp>().size() == 2; }));
  const std::vector<OwnerMetrics> owners = router->Metrics().owners;
  ASSERT_EQ(owners.size(), 2u);
  EXPECT_EQ(owners[0].opened, 1u);
  EXPECT_EQ(owners[1].opened, 1u);
  ASSERT_TRUE(router->RemoveListener("in").ok());
  EXPECT_EQ(router->Metrics().owners.size(), 1u);
  ASSERT_TRUE(router->RemoveConnector("in").ok());
  EXPECT_TRUE(router->Metrics().owners.empty());
}

}  // namespace
}  // namespace trunkline::net::test
