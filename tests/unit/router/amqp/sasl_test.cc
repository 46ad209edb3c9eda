#include "router/amqp/sasl.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trunkline::amqp {
namespace {

// Moves bytes both ways until nobody has any, `piece` at a time.
void Exchange(SaslServer& server, SaslClient& client, size_t piece = 1000) {
  std::string to_server;
  std::string to_client;
  const auto feed = [piece](SaslExchange& to, std::string& bytes) {
    size_t offered = 0;
    while (offered < bytes.size()) {
      offered = std::min(bytes.size(), offered + piece);
      const size_t used = to.Push(std::string_view(bytes).substr(0, offered));
      bytes.erase(0, used);
      offered -= used;
    }
  };
  for (int quiet = 0; quiet < 2; ++quiet) {
    to_server += client.TakeOutput();
    to_client += server.TakeOutput();
    if (!to_server.empty() || !to_client.empty()) quiet = 0;
    const size_t before = to_server.size() + to_client.size();
    feed(server, to_server);
    feed(client, to_client);
    if (before == to_server.size() + to_client.size()) return;
  }
}

std::string Frame(std::string_view body) {
  std::string frame{0, 0, 0, static_cast<char>(8 + body.size()), 2, 1, 0, 0};
  frame += body;
  return frame;
}
std::string Init(const SaslInit& init) {
  std::string body;
  Encode(init, body);
  return Frame(body);
}

TEST(Sasl, LetsAnAnonymousClientIn) {
  for (size_t piece = 1; piece < 30; ++piece) {
    SaslServer server({.mechanisms = {"EXTERNAL", "PLAIN", "ANONYMOUS"}});
    SaslClient client({.mechanisms = {"ANONYMOUS"}, .hostname = "vhost"});
    Exchange(server, client, piece);
    EXPECT_EQ(server.state(), SaslState::kDone);
    EXPECT_EQ(client.state(), SaslState::kDone);
    EXPECT_EQ(server.mechanism(), "ANONYMOUS");
    EXPECT_EQ(server.identity(), "");
  }
}

TEST(Sasl, TakesTheIdentityOfTheCertificateForExternal) {
  SaslServer server({.mechanisms = {"ANONYMOUS", "EXTERNAL"}, .external_identity = "CN=me"});
  SaslClient client({.mechanisms = {"EXTERNAL", "ANONYMOUS"}});
  Exchange(server, client);
  EXPECT_EQ(server.state(), SaslState::kDone);
  EXPECT_EQ(server.identity(), "CN=me");
  EXPECT_EQ(client.mechanism(), "EXTERNAL");
}

TEST(Sasl, RefusesAnotherIdentityThanTheCertificates) {
  SaslServer server({.mechanisms = {"EXTERNAL"}, .external_identity = "CN=me"});
  SaslClient client({.mechanisms = {"EXTERNAL"}, .authorization = "CN=you"});
  Exchange(server, client);
  EXPECT_EQ(server.state(), SaslState::kFailed);
  EXPECT_EQ(client.state(), SaslState::kFailed);
  EXPECT_EQ(client.code(), SaslCode::kAuth);
}

// RFC 4422 would have it asked by an empty challenge, which not every client understands; it can
// say nothing that matters.
TEST(Sasl, TakesAnExternalClientThatSaysNothing) {
  SaslServer server({.mechanisms = {"EXTERNAL"}, .external_identity = "CN=me"});
  server.Push(kSaslHeader);
  server.Push(Init({.mechanism = "EXTERNAL"}));
  EXPECT_EQ(server.state(), SaslState::kDone);
  EXPECT_EQ(server.identity(), "CN=me");
}

TEST(Sasl, DoesNotOfferExternalWithoutAnIdentity) {
  SaslServer server({.mechanisms = {"EXTERNAL", "ANONYMOUS"}});
  SaslClient client({.mechanisms = {"EXTERNAL"}});
  Exchange(server, client);
  EXPECT_EQ(client.state(), SaslState::kFailed);
  EXPECT_EQ(client.error(), "no mechanism in common");
}

TEST(Sasl, RefusesAMechanismThatWasNotOffered) {
  SaslServer server({.mechanisms = {"ANONYMOUS"}});
  server.Push(std::string(kSaslHeader) + Init({.mechanism = "PLAIN", .initial_response = "x"}));
  EXPECT_EQ(server.state(), SaslState::kFailed);
  EXPECT_EQ(server.error(), "authentication failed");
}

TEST(Sasl, HandsOtherMechanismsToTheirOwnerStepByStep) {
  SaslServer server({.mechanisms = {"SCRAM-SHA-256"}});
  SaslClient client({.mechanisms = {"SCRAM-SHA-256", "ANONYMOUS"}, .hostname = "vhost"});
  SaslStep step;
  Exchange(server, client, 7);
  ASSERT_TRUE(client.Next(step));
  EXPECT_TRUE(step.first);
  EXPECT_EQ(step.mechanism, "SCRAM-SHA-256");
  EXPECT_FALSE(client.Next(step));
  client.Reply("client-first");

  Exchange(server, client, 7);
  ASSERT_TRUE(server.Next(step));
  EXPECT_TRUE(step.first);
  EXPECT_EQ(step.bytes, "client-first");
  EXPECT_EQ(step.hostname, "vhost");
  server.Reply("server-first");

  Exchange(server, client, 7);
  ASSERT_TRUE(client.Next(step));
  EXPECT_FALSE(step.first);
  EXPECT_EQ(step.bytes, "server-first");
  client.Reply("client-final");

  Exchange(server, client, 7);
  ASSERT_TRUE(server.Next(step));
  EXPECT_FALSE(step.first);
  EXPECT_EQ(step.bytes, "client-final");
  server.Finish("alice", "signature");

  Exchange(server, client, 7);
  EXPECT_EQ(server.state(), SaslState::kDone);
  EXPECT_EQ(server.identity(), "alice");
  EXPECT_EQ(client.state(), SaslState::kNegotiating) << "the signature is to be looked at";
  ASSERT_TRUE(client.Next(step));
  EXPECT_TRUE(step.last);
  EXPECT_EQ(step.bytes, "signature");
  client.Finish();
  EXPECT_EQ(client.state(), SaslState::kDone);
}

TEST(Sasl, LeavesWhatFollowsTheLastFrame) {
  SaslServer server({.mechanisms = {"ANONYMOUS"}});
  const std::string init = Init({.mechanism = "ANONYMOUS"});
  const std::string bytes = std::string(kSaslHeader) + init + std::string(kAmqpHeader);
  EXPECT_EQ(server.Push(bytes), bytes.size() - kAmqpHeader.size());
  EXPECT_EQ(server.state(), SaslState::kDone);
  EXPECT_EQ(server.Push(kAmqpHeader), 0u);
}

TEST(Sasl, ReadsNothingWhileAStepWaits) {
  SaslServer server({.mechanisms = {"PLAIN"}});
  server.Push(std::string(kSaslHeader) + Init({.mechanism = "PLAIN", .initial_response = "x"}));
  std::string body;
  EncodeSaslResponse("more", body);
  EXPECT_EQ(server.Push(Frame(body)), 0u);
  server.Reply("?");
  EXPECT_GT(server.Push(Frame(body)), 0u);
}

TEST(Sasl, TellsTheClientWhyItFailed) {
  SaslServer server({.mechanisms = {"PLAIN"}});
  SaslClient client({.mechanisms = {"PLAIN"}});
  SaslStep step;
  Exchange(server, client);
  ASSERT_TRUE(client.Next(step));
  client.Reply("x");
  Exchange(server, client);
  ASSERT_TRUE(server.Next(step));
  server.Fail(SaslCode::kSysTemp);
  Exchange(server, client);
  EXPECT_EQ(client.code(), SaslCode::kSysTemp);
  EXPECT_EQ(client.error(), "temporary system error");
}

TEST(Sasl, FailsOnWhatIsNotSasl) {
  SaslServer server({.mechanisms = {"ANONYMOUS"}});
  EXPECT_EQ(server.Push(kAmqpHeader), 0u);
  EXPECT_EQ(server.state(), SaslState::kFailed);
  EXPECT_EQ(server.TakeOutput(), kSaslHeader);
}

TEST(Sasl, FailsOnMalformedFrames) {
  const std::string good = Init({.mechanism = "ANONYMOUS"});
  std::string bad_type = good;
  bad_type[5] = 0;
  std::string bad_doff = good;
  bad_doff[4] = 1;
  std::string far_doff = good;
  far_doff[4] = '\xff';
  std::string cut = good;
  cut[3] = 9;
  std::string tiny = good;
  tiny[3] = 7;
  std::string body;
  EncodeSaslResponse("early", body);
  for (const std::string& bytes : {bad_type, bad_doff, far_doff, cut, tiny, Frame(body)}) {
    SaslServer server({.mechanisms = {"ANONYMOUS"}});
    server.Push(std::string(kSaslHeader) + bytes);
    EXPECT_EQ(server.state(), SaslState::kFailed);
  }
}

// A frame of `size` bytes with an init.
std::string InitOf(size_t size) {
  std::string response(size - 100, 'x');
  std::string body;
  while (body.size() + 8 < size) {
    body.clear();
    Encode(SaslInit{.mechanism = "PLAIN", .initial_response = response}, body);
    response += 'x';
  }
  EXPECT_EQ(body.size() + 8, size);
  const std::string frame{0,
                          static_cast<char>(size >> 16),
                          static_cast<char>(size >> 8),
                          static_cast<char>(size),
                          2,
                          1,
                          0,
                          0};
  return frame + body;
}

TEST(Sasl, TakesFramesUpToItsLimitAndNoLargerOnes) {
  for (const uint32_t limit : {SaslExchange::kFrameBytesMax, SaslExchange::kTicketFrameBytesMax}) {
    for (const bool above : {false, true}) {
      SaslServer server({.mechanisms = {"PLAIN"}, .frame_bytes_max = limit});
      server.Push(kSaslHeader);
      server.Push(InitOf(limit + (above ? 1 : 0)));
      SaslStep step;
      EXPECT_EQ(server.Next(step), !above);
      EXPECT_EQ(server.state() == SaslState::kFailed, above);
    }
  }
}

TEST(Sasl, EndsAnExchangeThatGoesOnForever) {
  SaslServer server({.mechanisms = {"PLAIN"}});
  server.Push(std::string(kSaslHeader) + Init({.mechanism = "PLAIN", .initial_response = "x"}));
  std::string body;
  EncodeSaslResponse("more", body);
  for (int i = 1; i < SaslExchange::kRoundsMax; ++i) {
    server.Reply("?");
    server.Push(Frame(body));
    ASSERT_EQ(server.state(), SaslState::kNegotiating) << i;
  }
  server.Reply("?");
  server.Push(Frame(body));
  EXPECT_EQ(server.state(), SaslState::kFailed);
}

TEST(Sasl, SurvivesTruncationAndDamageAnywhere) {
  const std::string good =
      std::string(kSaslHeader) + Init({.mechanism = "ANONYMOUS", .initial_response = "abc"});
  for (size_t at = 0; at < good.size(); ++at) {
    SaslServer cut({.mechanisms = {"ANONYMOUS"}});
    cut.Push(good.substr(0, at));
    EXPECT_EQ(cut.state(), SaslState::kNegotiating);
    for (int value = 0; value < 256; ++value) {
      std::string bad = good;
      bad[at] = static_cast<char>(value);
      SaslServer server({.mechanisms = {"ANONYMOUS"}});
      EXPECT_LE(server.Push(bad), bad.size());
    }
  }
}

}  // namespace
}  // namespace trunkline::amqp
