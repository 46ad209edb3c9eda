// Logins with a name and a password, by the driver and libsasl2; who works on the steps is the
// test.

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/conn/driver.h"
#include "router/conn/handshake.h"
#include "test_world.h"

namespace trunkline::conn::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Keeps the steps until it is told to work on them.
class Bench final : public Authenticator {
 public:
  void Post(AuthStep step, Time) override { steps_.push_back(std::move(step)); }
  void Abandoned(const std::string& address, Time) override { abandoned_.push_back(address); }

  AuthAnswer Work() {
    AuthStep step = std::move(steps_.front());
    steps_.pop_front();
    AuthAnswer answer;
    answer.tag = step.tag;
    answer.answer = step.last ? step.session->Finish(step.bytes) : step.session->Step(step.bytes);
    answer.session = std::move(step.session);
    return answer;
  }
  AuthAnswer Refuse(AuthAnswer::Refusal refusal) {
    AuthAnswer answer;
    answer.tag = steps_.front().tag;
    answer.session = std::move(steps_.front().session);
    answer.refusal = refusal;
    steps_.pop_front();
    return answer;
  }
  const std::deque<AuthStep>& steps() const { return steps_; }
  const std::vector<std::string>& abandoned() const { return abandoned_; }

 private:
  std::deque<AuthStep> steps_;
  std::vector<std::string> abandoned_;
};

class Login : public testing::Test {
 protected:
  Login() {
    std::vector<sasl::Credential> credentials = {{"admin", "sesame"}};
    users_ = sasl::Users::FromCredentials("r", credentials);
  }

  DriverOptions Listener() {
    DriverOptions options = World::Accepting();
    options.users = users_;
    options.require_sasl = true;
    options.allow_insecure_plain = true;
    options.peer_address = "192.0.2.1";
    options.authenticator = &bench_;
    return options;
  }
  ClientOptions Who(const std::string& mechanism, const std::string& password = "sesame",
                    const std::string& user = "admin") {
    return {.sasl = true, .mechanisms = {mechanism}, .user = user, .password = password};
  }
  void Answer(Peer& peer, AuthAnswer answer) {
    peer.driver->Answer(std::move(answer), world_->now());
    peer.deadline = peer.driver->Tick(world_->now());
  }
  // Runs until nothing happens and no step waits.
  void Run(Peer& peer) {
    world_->Run();
    while (!bench_.steps().empty()) {
      Answer(peer, bench_.Work());
      world_->Run();
    }
  }
  uint64_t Of(const std::array<Counter, kMechanisms>& counters, Mechanism mechanism) {
    return counters[static_cast<size_t>(mechanism)].Get();
  }
  const ConnStats& stats() { return world_->workspace().stats; }

  std::shared_ptr<const sasl::Users> users_;
  Bench bench_;
  std::optional<World> world_{std::in_place};
};

TEST_F(Login, OpensTheConnectionOfWhoKnowsThePassword) {
  struct {
    const char* name;
    Mechanism mechanism;
  } const cases[] = {{"PLAIN", Mechanism::kPlain},
                     {"SCRAM-SHA-1", Mechanism::kScramSha1},
                     {"SCRAM-SHA-256", Mechanism::kScramSha256}};
  for (const auto& [name, mechanism] : cases) {
    world_.emplace();
    Peer& peer = world_->Connect(Who(name), Listener());
    Run(peer);
    EXPECT_TRUE(peer.client->opened()) << name << ": " << peer.client->sasl_error();
    EXPECT_EQ(peer.driver->user(), "admin@r");
    EXPECT_EQ(Of(stats().sasl_ok, mechanism), 1u);
  }
  EXPECT_THAT(bench_.abandoned(), ElementsAre());
}

TEST_F(Login, IsDeniedOneSecondLater) {
  Peer& peer = world_->Connect(Who("PLAIN", "wrong"), Listener());
  Run(peer);
  world_->Pass(Handshake::kDenialDelay - Milliseconds(100));
  EXPECT_FALSE(peer.hung_up());
  EXPECT_EQ(peer.client->sasl_error(), "");
  world_->Pass(Milliseconds(200));
  EXPECT_TRUE(peer.hung_up());
  EXPECT_EQ(peer.client->sasl_error(), "authentication failed");
  EXPECT_EQ(peer.error, "authentication failed");
  EXPECT_EQ(Of(stats().sasl_denied, Mechanism::kPlain), 1u);
  EXPECT_THAT(bench_.abandoned(), ElementsAre()) << "who worked on it counts it";
}

TEST_F(Login, IsDeniedInTheSameWayWhoeverIsUnknown) {
  std::vector<uint64_t> bytes;
  for (const char* user : {"admin", "nobod"}) {
    world_.emplace();
    Peer& peer = world_->Connect(Who("SCRAM-SHA-256", "wrong", user), Listener());
    Run(peer);
    world_->Pass(Seconds(2));
    EXPECT_EQ(peer.client->sasl_error(), "authentication failed");
    bytes.push_back(peer.bytes_to_peer);
  }
  EXPECT_EQ(bytes[0], bytes[1]);
}

TEST_F(Login, IsRefusedForNowWhereTooMuchIsToBeDone) {
  struct {
    AuthAnswer::Refusal refusal;
    const char* error;
  } const cases[] = {{AuthAnswer::Refusal::kQueueFull, "too many logins wait"},
                     {AuthAnswer::Refusal::kFailures, "too many failed logins of this address"}};
  for (const auto& [refusal, error] : cases) {
    world_.emplace();
    Peer& peer = world_->Connect(Who("PLAIN"), Listener());
    world_->Run();
    Answer(peer, bench_.Refuse(refusal));
    world_->Pass(Seconds(2));
    EXPECT_TRUE(peer.hung_up());
    EXPECT_EQ(peer.error, error);
    EXPECT_EQ(peer.client->sasl_error(), "temporary system error");
    EXPECT_EQ(Of(stats().sasl_error, Mechanism::kPlain), 1u);
  }
}

TEST_F(Login, ReadsNothingWhileAStepIsUnderWay) {
  Peer& peer = world_->Connect(Who("PLAIN"), Listener());
  world_->Run();
  ASSERT_EQ(bench_.steps().size(), 1u);
  EXPECT_FALSE(peer.driver->WantsInput());
  Answer(peer, bench_.Work());
  EXPECT_TRUE(peer.driver->WantsInput());
}

TEST_F(Login, EndsWithTheHandshakeTimeoutWhateverItWaitsFor) {
  DriverOptions options = Listener();
  options.handshake_timeout = Seconds(3);
  Peer& peer = world_->Connect(Who("PLAIN"), options);
  world_->Run();
  world_->Pass(Seconds(4));
  EXPECT_TRUE(peer.hung_up());
  EXPECT_THAT(peer.error, HasSubstr("Timeout"));
}

TEST_F(Login, ThatIsBegunAndLeftCountsAsAFailedOne) {
  Peer& peer = world_->Connect(Who("SCRAM-SHA-256"), Listener());
  world_->Run();
  world_->Vanish(peer);
  peer.driver.reset();
  EXPECT_THAT(bench_.abandoned(), ElementsAre("192.0.2.1"));
}

TEST_F(Login, WhatFollowsTheLastStepIsNotLost) {
  Peer& peer = world_->Accept(Listener());
  peer.client = nullptr;
  std::string init;
  amqp::Encode(
      amqp::SaslInit{.mechanism = "PLAIN", .initial_response = std::string("\0admin\0sesame", 13)},
      init);
  peer.to_router = std::string(amqp::kSaslHeader);
  peer.to_router += std::string{0, 0, 0, static_cast<char>(8 + init.size()), 2, 1, 0, 0} + init;
  peer.to_router += amqp::kAmqpHeader;
  Run(peer);
  EXPECT_THAT(peer.to_peer, testing::EndsWith(std::string(amqp::kAmqpHeader)));
  EXPECT_EQ(peer.driver->user(), "admin@r");
}

TEST_F(Login, NeedsAnAuthenticator) {
  DriverOptions options = Listener();
  options.authenticator = nullptr;
  Peer& peer = world_->Connect(Who("PLAIN"), options);
  world_->Run();
  EXPECT_TRUE(peer.hung_up());
  EXPECT_EQ(peer.error, "authentication failed");
}

// --- mechanisms, by rule

TEST_F(Login, OffersWhatSuits) {
  DriverOptions options = Listener();
  options.allow_insecure_plain = false;
  EXPECT_THAT(OfferedMechanisms(options, false), ElementsAre("SCRAM-SHA-256", "SCRAM-SHA-1"));
  EXPECT_THAT(OfferedMechanisms(options, true),
              ElementsAre("EXTERNAL", "SCRAM-SHA-256", "SCRAM-SHA-1"));
  options.require_sasl = false;
  EXPECT_THAT(OfferedMechanisms(options, false),
              ElementsAre("SCRAM-SHA-256", "SCRAM-SHA-1", "ANONYMOUS"));
  options.sasl_mechanisms = {"PLAIN", "SCRAM-SHA-1", "LOGIN"};
  EXPECT_THAT(OfferedMechanisms(options, false), ElementsAre("SCRAM-SHA-1"));
  options.tls = ServerContext();
  EXPECT_THAT(OfferedMechanisms(options, false), ElementsAre("PLAIN", "SCRAM-SHA-1", "LOGIN"));
  options.sasl_mechanisms = {};
  EXPECT_THAT(OfferedMechanisms(options, false),
              ElementsAre("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "ANONYMOUS"));
  options.users = nullptr;
  EXPECT_THAT(OfferedMechanisms(options, false), ElementsAre("ANONYMOUS"));
}

TEST_F(Login, TakesTicketsOnlyWhereTheyAreNamed) {
  DriverOptions options = Listener();
  options.users = nullptr;
  options.sasl_mechanisms = {"GSSAPI", "PLAIN"};
  EXPECT_THAT(OfferedMechanisms(options, false), ElementsAre("GSSAPI"));
  EXPECT_THAT(UsableMechanisms(options), ElementsAre("GSSAPI"));
  options.sasl_mechanisms = {};
  EXPECT_THAT(OfferedMechanisms(options, false), ElementsAre());
}

TEST_F(Login, UsesWhatItMay) {
  DriverOptions options;
  options.sasl_user = "admin";
  EXPECT_THAT(UsableMechanisms(options), ElementsAre("SCRAM-SHA-256", "SCRAM-SHA-1"));
  options.allow_insecure_plain = true;
  EXPECT_THAT(UsableMechanisms(options), ElementsAre("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"));
  options.sasl_mechanisms = {"ANONYMOUS", "PLAIN"};
  EXPECT_THAT(UsableMechanisms(options), ElementsAre("PLAIN", "ANONYMOUS"));
  options.allow_insecure_plain = false;
  EXPECT_THAT(UsableMechanisms(options), ElementsAre("ANONYMOUS"));
  options.tls = ServerContext();
  EXPECT_THAT(UsableMechanisms(options), ElementsAre("PLAIN", "ANONYMOUS"));
  options.sasl_user = "";
  EXPECT_THAT(UsableMechanisms(options), ElementsAre("ANONYMOUS"));
}

}  // namespace
}  // namespace trunkline::conn::test
