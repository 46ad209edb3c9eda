// Logins by SCRAM through libsasl2: what they cost, and that this tells nobody who exists.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "router/sasl/mechanisms.h"
#include "tests/unit/router/sasl/log_in.h"

namespace trunkline::sasl {
namespace {

using testing::ElementsAre;

std::vector<std::string> ScramMechanisms() {
  std::vector<std::string> mechanisms = PasswordMechanisms();
  std::erase_if(mechanisms, [](const std::string& name) { return !name.starts_with("SCRAM-"); });
  return mechanisms;
}

std::shared_ptr<const Users> Store(std::vector<Credential> credentials,
                                   const Users* before = nullptr) {
  return Users::FromCredentials("r", credentials, before);
}
std::shared_ptr<const Users> Store() {
  return Store({{"admin", "open sesame"}, {"jo", "at"}, {"empty", ""}});
}

// The server's first message to `name`.
std::string ChallengeTo(const std::string& name, const std::shared_ptr<const Users>& users,
                        const std::string& mechanism = "SCRAM-SHA-256") {
  const auto server = Session::Server({.mechanism = mechanism, .users = users});
  const Answer answer = server->Step("n,,n=" + name + ",r=fyko+d2lbbFgONRv9qkxdawL");
  EXPECT_EQ(answer.verdict, Verdict::kContinue) << answer.detail;
  return answer.bytes.value_or("");
}

std::string SaltOf(const std::string& name, const std::shared_ptr<const Users>& users,
                   const std::string& mechanism = "SCRAM-SHA-256") {
  const std::string challenge = ChallengeTo(name, users, mechanism);
  const size_t begin = challenge.find(",s=");
  return challenge.substr(begin, challenge.find(',', begin + 1) - begin);
}

class EachHash : public testing::TestWithParam<std::string> {};

TEST_P(EachHash, HashesOncePerUserHoweverManyLogIn) {
  const auto users = Store();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(LogIn(GetParam(), "admin", "open sesame", users).verdict, Verdict::kOk);
    EXPECT_EQ(LogIn(GetParam(), "jo@r", "at", users).verdict, Verdict::kOk);
    EXPECT_EQ(LogIn(GetParam(), "admin", "open barley", users).verdict, Verdict::kDenied);
    EXPECT_EQ(LogIn(GetParam(), "nobody", "at", users).verdict, Verdict::kDenied);
  }
  EXPECT_EQ(users->keys_made(), 3u);
}

TEST_P(EachHash, HashesForAnUnknownNameAsOftenAsForAKnownOne) {
  // What each login of a row of logins costs, whoever it is that tries.
  for (const char* name : {"admin", "nobody", "nobody@elsewhere", "empty"}) {
    const auto users = Store();
    std::vector<uint64_t> made;
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(LogIn(GetParam(), name, "wrong", users).verdict, Verdict::kDenied);
      made.push_back(users->keys_made());
    }
    EXPECT_THAT(made, ElementsAre(1, 2, 3, 3, 3)) << name;
  }
}

TEST_P(EachHash, HashesForAKnownNameWhatItCostsAnUnknownOneLater) {
  const auto users = Store();
  LogIn(GetParam(), "nobody", "wrong", users);
  LogIn(GetParam(), "admin", "open sesame", users);  // perhaps made already, by nobody's login
  EXPECT_EQ(users->keys_made(), 2u);
  LogIn(GetParam(), "jo", "at", users);
  LogIn(GetParam(), "nobody", "wrong", users);
  EXPECT_EQ(users->keys_made(), 3u);
}

TEST_P(EachHash, AnswersAnUnknownNameAsAKnownOne) {
  const auto users = Store();
  const std::string known = ChallengeTo("admin", users, GetParam());
  const std::string unknown = ChallengeTo("other", users, GetParam());
  EXPECT_EQ(known.size(), unknown.size());
  EXPECT_THAT(known, testing::HasSubstr(",i=4096"));
  EXPECT_THAT(unknown, testing::HasSubstr(",i=4096"));
  for (const char* name : {"admin", "other"}) {
    EXPECT_EQ(SaltOf(name, users, GetParam()), SaltOf(name, users, GetParam()));
    EXPECT_EQ(SaltOf(name, users, GetParam()), SaltOf(std::string(name) + "@r", users, GetParam()));
  }
  EXPECT_NE(SaltOf("admin", users, GetParam()), SaltOf("other", users, GetParam()));
  EXPECT_NE(SaltOf("admin", users, GetParam()), SaltOf("admin", Store(), GetParam()))
      << "another secret";
}

TEST_P(EachHash, KnowsNobodyByThePasswordOfAnother) {
  const auto users = Store();
  for (const auto& [name, password] :
       {std::pair("admin", "at"), std::pair("jo", "open sesame"), std::pair("empty", "at")}) {
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(LogIn(GetParam(), name, password, users).verdict, Verdict::kDenied) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Scram, EachHash, testing::ValuesIn(ScramMechanisms()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(Scram, OtherMechanismsNeedNoKeys) {
  const auto users = Store();
  for (const std::string& mechanism : PasswordMechanisms()) {
    if (mechanism.starts_with("SCRAM-")) continue;
    EXPECT_EQ(LogIn(mechanism, "admin", "open sesame", users).verdict, Verdict::kOk) << mechanism;
  }
  EXPECT_EQ(users->keys_made(), 0u);
}

TEST(Scram, AChangedPasswordCountsAndTheOthersKeepTheirKeys) {
  const auto before = Store();
  for (const char* name : {"admin", "jo", "empty"}) ChallengeTo(name, before);
  const auto after = Store({{"admin", "open barley"}, {"jo", "at"}, {"new", "pw"}}, before.get());
  EXPECT_EQ(LogIn("SCRAM-SHA-256", "jo", "at", after).verdict, Verdict::kOk);
  EXPECT_EQ(LogIn("SCRAM-SHA-256", "admin", "open sesame", after).verdict, Verdict::kDenied);
  EXPECT_EQ(LogIn("SCRAM-SHA-256", "admin", "open barley", after).verdict, Verdict::kOk);
  EXPECT_EQ(LogIn("SCRAM-SHA-256", "new", "pw", after).verdict, Verdict::kOk);
  EXPECT_EQ(LogIn("SCRAM-SHA-256", "empty", "", after).verdict, Verdict::kDenied);
  EXPECT_EQ(after->keys_made(), 2u) << "admin's and new's";
  EXPECT_EQ(LogIn("SCRAM-SHA-256", "admin", "open sesame", before).verdict, Verdict::kOk)
      << "who began with those before";
}

TEST(Scram, NobodysSaltChangesWhenUsersComeAndGo) {
  const auto before = Store({{"admin", "a"}, {"jo", "b"}});
  const auto after = Store({{"admin", "a"}, {"other", "c"}}, before.get());
  for (const char* name : {"admin", "jo", "other", "nobody"}) {
    EXPECT_EQ(SaltOf(name, before), SaltOf(name, after)) << name;
  }
}

TEST(Scram, SeveralThreadsLogInAtATime) {
  std::vector<Credential> credentials;
  for (int i = 0; i < 16; ++i) {
    credentials.push_back({"user" + std::to_string(i), "pw" + std::to_string(i)});
  }
  const auto users = Store(credentials);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&users, thread] {
      for (int i = 0; i < 32; ++i) {
        const std::string number = std::to_string((i + thread * 4) % 16);
        EXPECT_EQ(LogIn("SCRAM-SHA-1", "user" + number, "pw" + number, users).verdict,
                  Verdict::kOk);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(users->keys_made(), 16u);
  EXPECT_LE(users->keys_made(), 4u * 16u) << "at the worst each thread those of each";
  const uint64_t made = users->keys_made();
  EXPECT_EQ(LogIn("SCRAM-SHA-1", "nobody", "pw1", users).verdict, Verdict::kDenied);
  EXPECT_EQ(users->keys_made(), made);
}

TEST(Scram, WithASasldbEachLoginHashesOnce) {
  // There is no such file: whoever comes is unknown there, and finds what nobody can know.
  const auto users = Users::FromSasldb("r", "/nonexistent/sasldb2");
  for (uint64_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(LogIn("SCRAM-SHA-256", "admin", "open sesame", users).verdict, Verdict::kDenied);
    EXPECT_EQ(users->keys_made(), i);
  }
  EXPECT_EQ(SaltOf("admin", users), SaltOf("admin@r", users));
}

}  // namespace
}  // namespace trunkline::sasl
