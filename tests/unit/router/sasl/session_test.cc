// One exchange by libsasl2, both ends in memory: who gets in, and what others learn by trying.
#include "router/sasl/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "router/sasl/library.h"
#include "router/sasl/mechanisms.h"
#include "tests/unit/router/sasl/log_in.h"

namespace trunkline::sasl {
namespace {

using testing::HasSubstr;
using testing::Not;

std::shared_ptr<const Users> Store(const std::string& realm = "") {
  std::vector<Credential> credentials = {
      {"admin", "open sesame"}, {"empty", ""}, {"a@b", "at"}, {"jo", std::string(300, 'x')}};
  return Users::FromCredentials(realm, credentials);
}

Outcome LogIn(const std::string& mechanism, const std::string& user, const std::string& password) {
  return LogIn(mechanism, user, password, Store());
}

class EachMechanism : public testing::TestWithParam<std::string> {};

TEST_P(EachMechanism, LetsInWhoKnowsThePassword) {
  const Outcome outcome = LogIn(GetParam(), "admin", "open sesame");
  EXPECT_EQ(outcome.verdict, Verdict::kOk);
  EXPECT_EQ(outcome.user, "admin");
  EXPECT_TRUE(outcome.client_content);
}

TEST_P(EachMechanism, RefusesAWrongPassword) {
  EXPECT_EQ(LogIn(GetParam(), "admin", "open barley").verdict, Verdict::kDenied);
  EXPECT_EQ(LogIn(GetParam(), "admin", "open sesame ").verdict, Verdict::kDenied);
}

TEST_P(EachMechanism, RefusesAnUnknownUserInAsManyRounds) {
  const Outcome unknown = LogIn(GetParam(), "nobody", "open sesame");
  EXPECT_EQ(unknown.verdict, Verdict::kDenied);
  EXPECT_EQ(unknown.rounds, LogIn(GetParam(), "admin", "wrong").rounds);
}

TEST_P(EachMechanism, TakesTheNameWithAndWithoutTheRealm) {
  for (const char* name : {"admin", "admin@myrouter"}) {
    const Outcome outcome = LogIn(GetParam(), name, "open sesame", Store("myrouter"));
    EXPECT_EQ(outcome.verdict, Verdict::kOk) << name;
    EXPECT_EQ(outcome.user, "admin@myrouter");
  }
  EXPECT_EQ(LogIn(GetParam(), "admin@other", "open sesame", Store("myrouter")).verdict,
            Verdict::kDenied);
}

INSTANTIATE_TEST_SUITE_P(Sasl, EachMechanism, testing::ValuesIn(PasswordMechanisms()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(Session, TakesLongPasswordsAndRefusesEmptyOnes) {
  EXPECT_EQ(LogIn("PLAIN", "jo", std::string(300, 'x')).verdict, Verdict::kOk);
  EXPECT_EQ(LogIn("PLAIN", "jo", std::string(299, 'x')).verdict, Verdict::kDenied);
  const auto server = Session::Server({.mechanism = "PLAIN", .users = Store()});
  EXPECT_EQ(server->Step(std::string("\0empty\0", 7)).verdict, Verdict::kDenied);
}

TEST(Session, AsksAPlainClientThatSaysNothing) {
  const auto server = Session::Server({.mechanism = "PLAIN", .users = Store()});
  const Answer challenge = server->Step(std::nullopt);
  EXPECT_EQ(challenge.verdict, Verdict::kContinue);
  EXPECT_EQ(challenge.bytes, "");
  EXPECT_EQ(server->Step(std::string("\0admin\0open sesame", 18)).verdict, Verdict::kOk);
}

TEST(Session, LetsNobodyActForAnother) {
  for (const char* other : {"root", "jo", "admin@elsewhere"}) {
    const auto server = Session::Server({.mechanism = "PLAIN", .users = Store("r")});
    std::string init = other;
    init += std::string("\0admin\0open sesame", 18);
    EXPECT_EQ(server->Step(init).verdict, Verdict::kDenied) << other;
  }
  for (const char* self : {"admin", "admin@r"}) {
    const auto server = Session::Server({.mechanism = "PLAIN", .users = Store("r")});
    std::string init = self;
    init += std::string("\0admin\0open sesame", 18);
    EXPECT_EQ(server->Step(init).verdict, Verdict::kOk) << self;
  }
}

std::string ChallengeTo(const std::string& user, const std::shared_ptr<const Users>& users) {
  const auto server = Session::Server({.mechanism = "SCRAM-SHA-256", .users = users});
  const Answer answer = server->Step("n,,n=" + user + ",r=fyko+d2lbbFgONRv9qkxdawL");
  EXPECT_EQ(answer.verdict, Verdict::kContinue);
  return answer.bytes.value_or("");
}

std::string SaltIn(const std::string& challenge) {
  const size_t begin = challenge.find(",s=");
  return challenge.substr(begin, challenge.find(',', begin + 1) - begin);
}

TEST(Session, GivesANameTheSameSaltWhetherItExistsOrNot) {
  const auto users = Store();
  for (const char* name : {"admin", "nobody"}) {
    const std::string first = ChallengeTo(name, users);
    const std::string second = ChallengeTo(name, users);
    EXPECT_NE(first, second) << "the nonce is new each time";
    EXPECT_EQ(SaltIn(first), SaltIn(second)) << name;
    EXPECT_THAT(first, HasSubstr(",i=4096"));
  }
  EXPECT_EQ(ChallengeTo("admin", users).size(), ChallengeTo("nobody", users).size());
  EXPECT_NE(SaltIn(ChallengeTo("admin", users)), SaltIn(ChallengeTo("nobody", users)));
}

TEST(Session, ShowsNamesThatAreFitForALog) {
  const auto server = Session::Server({.mechanism = "PLAIN", .users = Store()});
  const Answer answer = server->Step(std::string("\0e\nv\x1b[2Jil\0x", 12));
  EXPECT_EQ(answer.verdict, Verdict::kDenied);
  EXPECT_EQ(answer.user, "e?v?[2Jil");
  const auto again = Session::Server({.mechanism = "PLAIN", .users = Store()});
  const std::string name(200, 'n');
  EXPECT_EQ(again->Step(std::string(1, '\0') + name + std::string("\0x", 2)).user,
            std::string(64, 'n') + "...");
}

TEST(Session, TakesNamesUpToTheLimit) {
  const std::string longest(Users::kNameBytesMax, 'n');
  std::vector<Credential> credentials = {{longest, "pw"}, {longest + "n", "pw"}};
  const auto users = Users::FromCredentials("", credentials);
  EXPECT_EQ(LogIn("PLAIN", longest, "pw", users).verdict, Verdict::kOk);
  EXPECT_EQ(LogIn("PLAIN", longest + "n", "pw", users).verdict, Verdict::kDenied);
}

TEST(Session, DeniesWhatIsMalformed) {
  const std::string plain("\0admin\0open sesame", 18);
  const std::vector<std::string> bad = {"",
                                        "x",
                                        std::string("\0", 1),
                                        std::string("\0\0", 2),
                                        std::string("\0\0\0", 3),
                                        "admin",
                                        plain + '\0',
                                        std::string("\0 \0pw", 5),
                                        std::string(4000, '\0')};
  for (const std::string& init : bad) {
    const auto server = Session::Server({.mechanism = "PLAIN", .users = Store()});
    const Answer answer = server->Step(init);
    EXPECT_NE(answer.verdict, Verdict::kOk) << testing::PrintToString(init);
    EXPECT_NE(answer.verdict, Verdict::kError) << testing::PrintToString(init) << answer.detail;
  }
  for (size_t size = 0; size < plain.size(); ++size) {
    const auto server = Session::Server({.mechanism = "PLAIN", .users = Store()});
    EXPECT_NE(server->Step(plain.substr(0, size)).verdict, Verdict::kOk) << size;
  }
}

TEST(Session, SurvivesDamageToEveryByteOfScram) {
  const auto users = Store();
  const std::string first = "n,,n=admin,r=fyko+d2lbbFgONRv9qkxdawL";
  for (size_t at = 0; at < first.size(); ++at) {
    for (const char c : {'\0', ',', '=', 'p', '\xff'}) {
      std::string bad = first;
      bad[at] = c;
      const auto server = Session::Server({.mechanism = "SCRAM-SHA-1", .users = users});
      Answer answer = server->Step(bad);
      if (answer.verdict == Verdict::kContinue) answer = server->Step("c=biws,r=x,p=" + bad);
      EXPECT_EQ(answer.verdict, Verdict::kDenied) << bad;
    }
  }
}

TEST(Session, AClientDoesNotTrustAServerThatProvesNothing) {
  const auto client = Session::Client({.mechanism = "SCRAM-SHA-256",
                                       .host = "router.example",
                                       .user = "admin",
                                       .password = Secret("open sesame")});
  const Answer first = client->Step(std::nullopt);
  ASSERT_TRUE(first.bytes.has_value());
  EXPECT_NE(client->Finish(std::nullopt).verdict, Verdict::kOk);
  EXPECT_NE(client->Finish("v=AAAA").verdict, Verdict::kOk);
}

TEST(Session, AServerWithAnotherPasswordIsNotTrusted) {
  // It knows a password of that name, but not this one: its signature cannot be right.
  const auto server = Session::Server({.mechanism = "SCRAM-SHA-256", .users = Store()});
  const auto client = Session::Client(
      {.mechanism = "SCRAM-SHA-256", .host = "h", .user = "admin", .password = Secret("another")});
  const Answer challenge = server->Step(client->Step(std::nullopt).bytes);
  client->Step(challenge.bytes);
  EXPECT_NE(client->Finish("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=").verdict, Verdict::kOk);
}

TEST(Session, MayEndAnywhere) {
  Session::Server({.mechanism = "SCRAM-SHA-256", .users = Store()});
  const auto server = Session::Server({.mechanism = "SCRAM-SHA-256", .users = Store()});
  server->Step("n,,n=admin,r=fyko+d2lbbFgONRv9qkxdawL");
}

TEST(Session, AnUnknownMechanismIsOurError) {
  const auto server = Session::Server({.mechanism = "NONE", .users = Store()});
  EXPECT_EQ(server->Step("x").verdict, Verdict::kError);
}

TEST(Library, SaysWhichPackageHasWhatIsMissing) {
  EXPECT_TRUE(CheckMechanism("SCRAM-SHA-256").ok()) << CheckMechanism("SCRAM-SHA-256");
  EXPECT_TRUE(CheckSasldb().ok()) << CheckSasldb();
  EXPECT_THAT(std::string(CheckMechanism("OTP").message()), HasSubstr("libsasl2-modules"));
}

}  // namespace
}  // namespace trunkline::sasl
