#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <future>
#include <thread>

#include "router/probe.h"
#include "router/sasl/users.h"
#include "router/tls/context.h"
#include "tests/unit/router/base/scarcity.h"
#include "tests/unit/router/net/router_fixture.h"
#include "tests/unit/router/tls/test_certs.h"

namespace trunkline::net::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Steps = std::vector<ProbeStep>;

size_t DescriptorsOpen() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

// A listening socket of the test that answers nothing by itself.
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
  Descriptor Accept() const { return Descriptor(accept(fd_.get(), nullptr, nullptr)); }
  // Says `bytes` to the next who comes, reads until nothing more comes and hangs up.
  void Say(std::string_view bytes) const {
    const Descriptor client = Accept();
    (void)!send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    shutdown(client.get(), SHUT_WR);
    char buffer[256];
    while (recv(client.get(), buffer, sizeof buffer, 0) > 0) continue;
  }

 private:
  Descriptor fd_;
  uint16_t port_ = 0;
};

ProbeWish WishFor(const HostPort& place) {
  ProbeWish wish;
  wish.spec.name = "out";
  wish.spec.host = place;
  wish.router_id = "prober";
  wish.limit = Seconds(60);
  return wish;
}
HostPort PlaceOf(const std::string& address) {
  return {"127.0.0.1", static_cast<uint16_t>(std::stoi(address.substr(10)))};
}

std::future<Steps> Begin(Prober& prober, ProbeWish wish) {
  auto told = std::make_shared<std::promise<Steps>>();
  const absl::Status status =
      prober.Begin(std::move(wish), [told](Steps steps) { told->set_value(std::move(steps)); });
  EXPECT_TRUE(status.ok()) << status;
  return told->get_future();
}
Steps Probe(ProbeWish wish) {
  Prober prober;
  return Begin(prober, std::move(wish)).get();
}

std::vector<ProbeStage> StagesOf(const Steps& steps) {
  std::vector<ProbeStage> stages;
  for (const ProbeStep& step : steps) stages.push_back(step.stage);
  return stages;
}
std::string FactOf(const ProbeStep& step, const std::string& name) {
  for (const auto& [known, value] : step.facts) {
    if (known == name) return value;
  }
  return "";
}
std::string ErrorsOf(const Steps& steps) {
  std::string errors;
  for (const ProbeStep& step : steps) errors += step.error;
  return errors;
}

TEST(Prober, GoesThroughAllSteps) {
  TestRouter router;
  ProbeWish wish = WishFor(PlaceOf(router.Listen()));
  wish.spec.host.host = "localhost";
  const Steps steps = Probe(wish);
  EXPECT_EQ(ErrorsOf(steps), "");
  ASSERT_THAT(StagesOf(steps), ElementsAre(ProbeStage::kResolve, ProbeStage::kConnect,
                                           ProbeStage::kSasl, ProbeStage::kOpen));
  EXPECT_THAT(FactOf(steps[0], "addresses"), HasSubstr("127.0.0.1:"));
  EXPECT_THAT(FactOf(steps[1], "peer"), StartsWith("127.0.0.1:"));
  EXPECT_THAT(FactOf(steps[1], "local"), StartsWith("127.0.0.1:"));
  EXPECT_EQ(FactOf(steps[2], "mechanism"), "ANONYMOUS");
  EXPECT_EQ(FactOf(steps[3], "container_id"), "router");
  EXPECT_EQ(FactOf(steps[3], "property.version"), "1.2.3");
  for (const ProbeStep& step : steps) EXPECT_GT(step.took, Duration());
}

TEST(Prober, LeavesNothingBehind) {
  TestRouter router;
  const ProbeWish wish = WishFor(PlaceOf(router.Listen()));
  Prober prober;
  Begin(prober, wish).get();
  const size_t before = DescriptorsOpen();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ErrorsOf(Begin(prober, wish).get()), "");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (router.All<ConnectionDown>().size() < 21 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_LE(DescriptorsOpen(), before + 1) << "the router may close one a little later";
  EXPECT_THAT(router.All<ConnectionUp>(), ::testing::SizeIs(21));
  for (const auto& down : router.All<ConnectionDown>()) EXPECT_EQ(down.error, "");
}

TEST(Prober, TellsThatNobodyListens) {
  HostPort place;
  {
    const Target gone;
    place = gone.place();
  }
  const Steps steps = Probe(WishFor(place));
  ASSERT_THAT(StagesOf(steps), ElementsAre(ProbeStage::kResolve, ProbeStage::kConnect));
  EXPECT_THAT(steps[1].error, HasSubstr("Connection refused"));
}

TEST(Prober, TellsThatAHostIsUnknown) {
  const Steps steps = Probe(WishFor({"no-such-host.invalid", 5672}));
  ASSERT_THAT(StagesOf(steps), ElementsAre(ProbeStage::kResolve));
  EXPECT_NE(steps[0].error, "");
}

TEST(Prober, GivesUpOnWhoSaysNothing) {
  const Target silent;
  ProbeWish wish = WishFor(silent.place());
  wish.limit = Milliseconds(50);
  const Steps steps = Probe(wish);
  ASSERT_THAT(StagesOf(steps),
              ElementsAre(ProbeStage::kResolve, ProbeStage::kConnect, ProbeStage::kSasl));
  EXPECT_EQ(steps[2].error, "timed out");
}

TEST(Prober, TellsWhatStrangersSay) {
  using namespace std::string_view_literals;
  for (const std::string_view bytes : {""sv, "HTTP/1.1 400 Bad Request\r\n\r\n"sv, "AMQP\x03\x01"sv,
                                       "AMQP\x03\x01\x00\x00\x00\x00\x00\x08\x02\x01\x00\x00"sv}) {
    const Target target;
    std::thread stranger([&] { target.Say(bytes); });
    const Steps steps = Probe(WishFor(target.place()));
    stranger.join();
    ASSERT_THAT(steps, ::testing::SizeIs(3));
    EXPECT_NE(steps[2].error, "") << bytes;
  }
}

TEST(Prober, TellsHowTlsEnded) {
  const tls::test::TestAuthority authority;
  const tls::test::TestAuthority other;
  const tls::test::TestCert server =
      authority.Issue({.subject = {{"CN", "server"}}, .alternative_names = "IP:127.0.0.1"});
  const auto context_of = [](const tls::Bundle& bundle) {
    return *tls::Context::Build(bundle, {});
  };
  TestRouter router;
  ASSERT_TRUE(router
                  ->SetTls("server",
                           context_of({.certificate_pem = server.Pem(),
                                       .private_key_pem = server.key().Pem()}),
                           1)
                  .ok());
  ListenerSpec listener;
  listener.connection.tls_profile = "server";
  ProbeWish wish = WishFor(PlaceOf(router.Listen(listener)));
  wish.tls = context_of({.ca_pem = authority.Pem()});
  Steps steps = Probe(wish);
  EXPECT_EQ(ErrorsOf(steps), "");
  ASSERT_EQ(steps[2].stage, ProbeStage::kTls);
  EXPECT_EQ(FactOf(steps[2], "protocol"), "TLSv1.3");
  EXPECT_EQ(FactOf(steps[2], "subject"), "CN=server");
  EXPECT_EQ(FactOf(steps[2], "ip_addresses"), "127.0.0.1");
  EXPECT_EQ(FactOf(steps[2], "verified"), "true");
  EXPECT_EQ(FactOf(steps.back(), "container_id"), "router");

  wish.tls = context_of({.ca_pem = other.Pem()});
  steps = Probe(wish);
  EXPECT_EQ(steps.back().stage, ProbeStage::kTls);
  EXPECT_THAT(steps.back().error, HasSubstr("certificate"));

  wish.tls = nullptr;
  steps = Probe(wish);
  EXPECT_EQ(steps.back().stage, ProbeStage::kSasl);
  EXPECT_NE(steps.back().error, "");
}

TEST(Prober, LogsInWithAPassword) {
  std::vector<sasl::Credential> users = {{"probe", "sesame"}};
  TestRouter router;
  ASSERT_TRUE(router->SetUsers("users", sasl::Users::FromCredentials("", users)).ok());
  ListenerSpec listener;
  listener.user_store = "users";
  listener.require_sasl = true;
  ProbeWish wish = WishFor(PlaceOf(router.Listen(listener)));
  wish.spec.sasl_user = "probe";
  wish.spec.sasl_password = Secret("sesame");
  Steps steps = Probe(wish);
  EXPECT_EQ(ErrorsOf(steps), "");
  EXPECT_EQ(FactOf(steps[2], "mechanism"), "SCRAM-SHA-256");
  wish.spec.sasl_password = Secret("wrong");
  steps = Probe(wish);
  EXPECT_EQ(steps.back().stage, ProbeStage::kSasl);
  EXPECT_NE(steps.back().error, "");
  EXPECT_THAT(steps.back().error, ::testing::Not(HasSubstr("wrong")));
}

TEST(Prober, TakesFourAtATime) {
  const Target silent;
  Prober prober;
  std::vector<std::future<Steps>> under_way;
  for (size_t i = 0; i < Prober::kAtOnceMax; ++i) {
    under_way.push_back(Begin(prober, WishFor(silent.place())));
  }
  const absl::Status refused = prober.Begin(WishFor(silent.place()), [](Steps) { FAIL(); });
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
}

TEST(Prober, SaysThatTheSystemHasNoThreadForIt) {
  TestRouter router;
  Prober prober;
  const ProbeWish wish = WishFor(PlaceOf(router.Listen()));
  {
    const NoThreads threads;
    for (size_t i = 0; i <= Prober::kAtOnceMax; ++i) {
      EXPECT_EQ(prober.Begin(wish, [](Steps) { ADD_FAILURE(); }),
                absl::ResourceExhaustedError(
                    "no thread for another test: Resource temporarily unavailable"));
    }
  }
  EXPECT_EQ(ErrorsOf(Begin(prober, wish).get()), "");
}

TEST(Prober, EndsWhatIsUnderWayWhenItEnds) {
  const Target silent;
  auto prober = std::make_unique<Prober>();
  std::future<Steps> steps = Begin(*prober, WishFor(silent.place()));
  const Descriptor client = silent.Accept();
  prober = nullptr;
  EXPECT_THAT(steps.get().back().error, HasSubstr("the router is stopping"));
}

}  // namespace
}  // namespace trunkline::net::test
