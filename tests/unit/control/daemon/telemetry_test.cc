#include "control/daemon/telemetry.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/daemon/metrics_state.h"

namespace trunkline::daemon {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A port of 127.0.0.1 that somebody listens on while this lives.
class Taken {
 public:
  Taken() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(fd_, 1);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~Taken() { ::close(fd_); }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  uint16_t port() const { return port_; }

 private:
  const int fd_;
  uint16_t port_ = 0;
};

uint16_t FreePort() { return Taken().port(); }

// A connection to this port of 127.0.0.1, if somebody listens.
class Client {
 public:
  explicit Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The answer to its one request; empty if there is none.
  std::string Get(const std::string& path) const {
    std::string answer;
    if (!connected_) return answer;
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    (void)::send(fd_, request.data(), request.size(), MSG_NOSIGNAL);
    char bytes[4096];
    for (ssize_t n; (n = ::recv(fd_, bytes, sizeof bytes, 0)) > 0;) answer.append(bytes, n);
    return answer;
  }

 private:
  const int fd_;
  bool connected_ = false;
};

// What 127.0.0.1 answers at this port; empty if nobody listens.
std::string Ask(uint16_t port, const std::string& path) { return Client(port).Get(path); }

class TelemetryTest : public ::testing::Test {
 protected:
  TelemetryTest() {
    RouterSpec spec;
    spec.id = "tested";
    spec.workers = 1;
    auto router = Router::Start(spec, [] {});
    router_ = *std::move(router);
    telemetry_ = std::make_unique<Telemetry>(*router_, metrics::Identity{"1", "O", "tested"},
                                             [] { return metrics::LogCounts(); });
  }

  std::unique_ptr<Router> router_;
  std::unique_ptr<Telemetry> telemetry_;
};

TEST_F(TelemetryTest, ServesWhereItIsToldAndNotAnyMore) {
  const uint16_t port = FreePort();
  EXPECT_FALSE(telemetry_->serving());
  ASSERT_TRUE(telemetry_->Apply({.enabled = true, .port = port}).ok());
  EXPECT_TRUE(telemetry_->serving());
  EXPECT_THAT(Ask(port, "/livez"), HasSubstr("200 OK"));
  EXPECT_THAT(Ask(port, "/metrics"), HasSubstr("router_id=\"tested\""));
  ASSERT_TRUE(telemetry_->Apply({}).ok());
  EXPECT_FALSE(telemetry_->serving());
  EXPECT_EQ(Ask(port, "/livez"), "");
}

TEST_F(TelemetryTest, OffersThePathsThatItIsToldTo) {
  const uint16_t port = FreePort();
  for (const bool metrics : {false, true}) {
    for (const bool probes : {false, true}) {
      ASSERT_TRUE(
          telemetry_->Apply({.enabled = true, .port = port, .metrics = metrics, .probes = probes})
              .ok());
      EXPECT_THAT(Ask(port, "/metrics"), HasSubstr(metrics ? "200 OK" : "404 Not Found"));
      for (const std::string path : {"/livez", "/healthz"}) {
        EXPECT_THAT(Ask(port, path), HasSubstr(probes ? "200 OK" : "404 Not Found"));
      }
      EXPECT_THAT(Ask(port, "/readyz"), HasSubstr(probes ? "503" : "404 Not Found"));
    }
  }
}

TEST_F(TelemetryTest, StaysWhereItIsWhenItOffersSomethingElse) {
  const uint16_t port = FreePort();
  ASSERT_TRUE(telemetry_->Apply({.enabled = true, .port = port}).ok());
  EXPECT_THAT(Ask(port, "/metrics"), Not(HasSubstr("qdr_")));
  // Whoever is connected stays connected, which a server elsewhere would not let him.
  const Client client(port);
  ASSERT_TRUE(telemetry_->Apply({.enabled = true, .port = port, .qdr_names = true}).ok());
  EXPECT_THAT(Ask(port, "/metrics"), HasSubstr("\nqdr_routers_total 0\n"));
  EXPECT_THAT(client.Get("/livez"), HasSubstr("200 OK"));
  ASSERT_TRUE(telemetry_->Apply({.enabled = true, .port = port}).ok());
  EXPECT_THAT(Ask(port, "/metrics"), Not(HasSubstr("qdr_")));
}

TEST_F(TelemetryTest, ServesNothingInThePlaceOfTls) {
  const uint16_t port = FreePort();
  EXPECT_EQ(telemetry_->Apply({.enabled = true, .port = port, .tls_profile = "missing"}).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(telemetry_->serving());
  EXPECT_EQ(Ask(port, "/livez"), "");
}

TEST_F(TelemetryTest, StaysWhereItIsIfItCannotMove) {
  const uint16_t port = FreePort();
  ASSERT_TRUE(telemetry_->Apply({.enabled = true, .port = port}).ok());
  const Taken taken;
  EXPECT_EQ(telemetry_->Apply({.enabled = true, .port = taken.port()}).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Ask(port, "/livez"), HasSubstr("200 OK"));
}

TEST_F(TelemetryTest, MovesToAPlaceThatOverlapsItsOwn) {
  const uint16_t port = FreePort();
  ASSERT_TRUE(telemetry_->Apply({.enabled = true, .port = port}).ok());
  ASSERT_TRUE(telemetry_->Apply({.enabled = true, .host = "0.0.0.0", .port = port}).ok());
  EXPECT_THAT(Ask(port, "/livez"), HasSubstr("200 OK"));
  // Back, and to one that cannot be had: it returns.
  EXPECT_FALSE(telemetry_->Apply({.enabled = true, .host = "192.0.2.1", .port = port}).ok());
  EXPECT_THAT(Ask(port, "/livez"), HasSubstr("200 OK"));
}

TEST_F(TelemetryTest, KnowsAfterAMoveWhatItWasTold) {
  MetricsState state;
  EXPECT_THAT(Ask(0, "/readyz"), "");
  state.OnStarted(0);
  telemetry_->Tell(state.Update({}, {}, StatusBoard()));
  const uint16_t port = FreePort();
  ASSERT_TRUE(telemetry_->Apply({.enabled = true, .port = port}).ok());
  EXPECT_THAT(Ask(port, "/readyz"), HasSubstr("data: ready"));
  state.OnDrain();
  telemetry_->Tell(state.Update({}, {}, StatusBoard()));
  EXPECT_THAT(Ask(port, "/readyz"), HasSubstr("data: draining"));
}

TEST(MetricsState, CountsReloads) {
  MetricsState state;
  state.OnStarted(1000);
  EXPECT_EQ(state.Update({}, {}, StatusBoard()).generation, 1u);
  state.OnReloaded(2000, true);
  state.OnReloaded(3000, false);
  state.OnReloadFailed("f.yaml:1:1: listeners: unknown\n");
  const metrics::ControlState& told = state.Update({}, {}, StatusBoard());
  EXPECT_TRUE(told.started);
  EXPECT_EQ(told.generation, 3u);
  EXPECT_EQ(told.configured_at_ms, 3000);
  EXPECT_EQ(told.reloads_ok, 1u);
  EXPECT_EQ(told.reloads_partial, 1u);
  EXPECT_EQ(told.reloads_failed, 1u);
}

TEST(MetricsState, FollowsCertificates) {
  certs::Profile profile;
  profile.leaf.subject = "CN=a";
  profile.leaf.not_after = 1800000000;
  profile.fingerprint = 1;
  uint64_t refused = 0;
  MetricsState state;
  const auto told = [&] {
    return state.Update({{"service", {&profile, profile.fingerprint, refused}}}, {}, StatusBoard())
        .certificates.at(0);
  };
  EXPECT_EQ(told().revision, 1u);
  EXPECT_EQ(told().reloads_ok, 0u);
  EXPECT_EQ(told().leaf_not_after, 1800000000);
  profile.fingerprint = 2;
  EXPECT_EQ(told().revision, 2u);
  EXPECT_EQ(told().reloads_ok, 1u);
  state.OnReloadFailed("f.yaml:3:1: tls_profiles[service].certificate_file: empty\n");
  state.OnReloadFailed("f.yaml:3:1: tls_profiles[other].certificate_file: empty\n");
  EXPECT_EQ(told().reloads_failed, 1u);
  refused = 2;
  EXPECT_EQ(told().reloads_failed, 3u);
  EXPECT_EQ(told().revision, 2u);
}

TEST(MetricsState, CountsConnectionsByTheCertificateTheyWereMadeWith) {
  const certs::Profile profile;
  MetricsState state;
  const std::vector<TlsConnections> connections = {
      {.profile = "gone", .revision = 1, .connections = 1},
      {.profile = "service", .revision = 1, .connections = 2},
      {.profile = "service", .revision = 2, .connections = 3},
      {.profile = "service", .revision = 3, .connections = 4}};
  const auto told = state.Update({{"service", {&profile, 3, 0}}}, connections, StatusBoard());
  ASSERT_EQ(told.certificates.size(), 1u);
  EXPECT_EQ(told.certificates[0].connections_current, 4u);
  EXPECT_EQ(told.certificates[0].connections_retired, 5u);
}

TEST(MetricsState, TellsWhatBecameOfCalls) {
  const api::MethodTable methods;
  const auto& get = *methods.Find("/trunkline.control.v1.RouterService/GetVersion");
  const auto& watch = *methods.Find("/trunkline.control.v1.RouterService/WatchEvents");
  api::Tally tally;
  tally.Began(get);
  tally.Ended(get, absl::StatusCode::kNotFound, Milliseconds(2));
  tally.Began(watch);
  MetricsState state;
  state.SetCalls(tally, [](api::Refused why) { return static_cast<uint64_t>(why) + 1; });
  const metrics::ControlState& told = state.Update({}, {}, StatusBoard());
  ASSERT_EQ(told.calls.size(), 2u);
  EXPECT_EQ(told.calls[0].service, "RouterService");
  EXPECT_EQ(told.calls[0].method, "GetVersion");
  ASSERT_EQ(told.calls[0].ended.size(), 1u);
  EXPECT_EQ(told.calls[0].ended[0].code, "NOT_FOUND");
  EXPECT_EQ(told.calls[0].duration.counts[1], 1u);
  EXPECT_EQ(told.calls[0].duration.sum, 2'000'000u);
  EXPECT_TRUE(told.calls[1].streams);
  EXPECT_EQ(told.calls[1].open, 1u);
  ASSERT_EQ(told.calls_denied.size(), 2u);
  EXPECT_EQ(told.calls_denied[1].name, "role_required");
  EXPECT_EQ(told.calls_denied[1].count, 2u);
  ASSERT_EQ(told.calls_refused.size(), 3u);
  EXPECT_EQ(told.calls_refused[2].count, 5u);
}

TEST(MetricsState, TellsTheStateOfConnectors) {
  StatusBoard board;
  board.Expect("broker");
  MetricsState state;
  EXPECT_EQ(state.Update({}, {}, board).connectors.at(0).state, "connecting");
  board.Apply(ConnectorFailed{.name = "broker"}, 0);
  EXPECT_EQ(state.Update({}, {}, board).connectors.at(0).state, "backoff");
  board.Apply(ConnectionUp{.id = 1, .owner = "broker", .inbound = false}, 0);
  EXPECT_EQ(state.Update({}, {}, board).connectors.at(0).state, "open");
}

}  // namespace
}  // namespace trunkline::daemon
