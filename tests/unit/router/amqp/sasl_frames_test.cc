#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/performatives.h"
#include "tests/unit/router/amqp/encoded.h"

namespace trunkline::amqp {
namespace {

using testing::ElementsAre;

template <typename T>
std::string Encoded(const T& body) {
  std::string out;
  Encode(body, out);
  return out;
}

std::string Challenge(std::string_view bytes) {
  std::string out;
  EncodeSaslChallenge(bytes, out);
  return out;
}

std::string Response(std::string_view bytes) {
  std::string out;
  EncodeSaslResponse(bytes, out);
  return out;
}

TEST(SaslFrames, WriteTheBytesOfTheSpecification) {
  EXPECT_EQ(Encoded(SaslMechanisms{{"ANONYMOUS", "PLAIN"}}),
            Bytes({0x00, 0x53, 0x40, 0xc0, 21, 1, 0xe0, 18, 2, 0xa3, 9}) + "ANONYMOUS" +
                Bytes({5}) + "PLAIN");
  EXPECT_EQ(Encoded(SaslInit{"PLAIN", std::string("\0u\0p", 4), "h"}),
            Bytes({0x00, 0x53, 0x41, 0xc0, 17, 3, 0xa3, 5}) + "PLAIN" +
                Bytes({0xa0, 4, 0, 'u', 0, 'p', 0xa1, 1, 'h'}));
  EXPECT_EQ(Challenge("c"), Bytes({0x00, 0x53, 0x42, 0xc0, 4, 1, 0xa0, 1, 'c'}));
  EXPECT_EQ(Response(""), Bytes({0x00, 0x53, 0x43, 0xc0, 3, 1, 0xa0, 0}));
  EXPECT_EQ(Encoded(SaslOutcome{SaslCode::kAuth, std::nullopt}),
            Bytes({0x00, 0x53, 0x44, 0xc0, 3, 1, 0x50, 1}));
}

TEST(SaslFrames, KeepEveryFieldOverARoundTrip) {
  const SaslInit init{"SCRAM-SHA-256", std::string(300, 'x'), "host"};
  const auto parsed = ParseSaslInit(Encoded(init));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->mechanism, init.mechanism);
  EXPECT_EQ(parsed->initial_response, init.initial_response);
  EXPECT_EQ(parsed->hostname, init.hostname);
  EXPECT_EQ(ParseSaslChallenge(Challenge("abc")).value(), "abc");
  EXPECT_EQ(ParseSaslResponse(Response("abc")).value(), "abc");
  const auto outcome = ParseSaslOutcome(Encoded(SaslOutcome{SaslCode::kSysTemp, "more"}));
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->code, SaslCode::kSysTemp);
  EXPECT_EQ(outcome->additional_data, "more");
  EXPECT_THAT(ParseSaslMechanisms(Encoded(SaslMechanisms{{"A", "B"}}))->mechanisms,
              ElementsAre("A", "B"));
}

TEST(SaslFrames, TakeOneMechanismAsABareSymbol) {
  const auto mechanisms =
      ParseSaslMechanisms(Bytes({0x00, 0x53, 0x40, 0xc0, 8, 1, 0xa3, 5}) + "PLAIN");
  ASSERT_TRUE(mechanisms.ok()) << mechanisms.status();
  EXPECT_THAT(mechanisms->mechanisms, ElementsAre("PLAIN"));
}

TEST(SaslFrames, TellAnEmptyInitialResponseFromNone) {
  EXPECT_EQ(ParseSaslInit(Encoded(SaslInit{"X", "", std::nullopt}))->initial_response, "");
  EXPECT_EQ(ParseSaslInit(Encoded(SaslInit{"X", std::nullopt, std::nullopt}))->initial_response,
            std::nullopt);
}

TEST(SaslFrames, NameWhatIsMissingOrWrong) {
  const auto message = [](const absl::Status& status) { return std::string(status.message()); };
  EXPECT_EQ(message(ParseSaslMechanisms(Bytes({0x00, 0x53, 0x40, 0x45})).status()),
            "sasl-mechanisms.sasl-server-mechanisms: missing");
  EXPECT_EQ(message(ParseSaslInit(Bytes({0x00, 0x53, 0x41, 0x45})).status()),
            "sasl-init.mechanism: missing");
  EXPECT_EQ(message(ParseSaslChallenge(Bytes({0x00, 0x53, 0x42, 0x45})).status()),
            "sasl-challenge.challenge: missing");
  EXPECT_EQ(message(ParseSaslResponse(Bytes({0x00, 0x53, 0x43, 0xc0, 3, 1, 0xa1, 0})).status()),
            "sasl-response.response: expected binary");
  EXPECT_EQ(message(ParseSaslOutcome(Bytes({0x00, 0x53, 0x44, 0x45})).status()),
            "sasl-outcome.code: missing");
  EXPECT_EQ(message(ParseSaslOutcome(Bytes({0x00, 0x53, 0x44, 0xc0, 3, 1, 0x50, 5})).status()),
            "sasl-outcome.code: unknown choice");
  EXPECT_EQ(message(ParseSaslOutcome(Bytes({0x00, 0x53, 0x41, 0x45})).status()),
            "sasl-outcome: another type");
}

TEST(SaslFrames, SurviveTruncationAndMutation) {
  const auto parse_all = [](std::string_view body) {
    (void)ParseSaslMechanisms(body);
    (void)ParseSaslInit(body);
    (void)ParseSaslChallenge(body);
    (void)ParseSaslResponse(body);
    (void)ParseSaslOutcome(body);
  };
  const std::vector<std::string> bodies = {
      Encoded(SaslMechanisms{{"ANONYMOUS", "PLAIN"}}), Encoded(SaslInit{"PLAIN", "x", "h"}),
      Challenge("challenge"), Response("response"), Encoded(SaslOutcome{SaslCode::kOk, "data"})};
  uint64_t seed = 1;
  for (const std::string& body : bodies) {
    ForEachPrefix(body, [&](std::string_view prefix) {
      parse_all(prefix);
      EXPECT_FALSE(ParseSaslInit(prefix).ok() || ParseSaslMechanisms(prefix).ok() ||
                   ParseSaslOutcome(prefix).ok());
    });
    ForEachMutation(body, seed++, 3000, parse_all);
  }
}

}  // namespace
}  // namespace trunkline::amqp
