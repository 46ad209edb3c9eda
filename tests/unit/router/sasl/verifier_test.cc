#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/sasl/users.h"
#include "tests/unit/router/sasl/log_in.h"

namespace trunkline::sasl {
namespace {

// A store of users whose passwords it does not know.
class VerifierTest : public testing::Test {
 protected:
  std::shared_ptr<const Users> Store(const std::string& realm = "") const {
    std::vector<Verifier> verifiers;
    for (const auto& [name, password] : passwords_) {
      verifiers.push_back({name, Users::MakeKeys(salt_key_, name, password)});
    }
    return Users::FromVerifiers(realm, salt_key_, verifiers);
  }

  Secret salt_key_ = Users::MakeSaltKey();
  std::vector<std::pair<std::string, std::string>> passwords_ = {{"alice", "sesame"},
                                                                 {"bob", "open"}};
};

class EveryMechanism : public VerifierTest, public testing::WithParamInterface<const char*> {};

TEST_P(EveryMechanism, LetsInWhoKnowsThePassword) {
  const auto users = Store();
  const Outcome outcome = LogIn(GetParam(), "alice", "sesame", users);
  EXPECT_EQ(outcome.verdict, Verdict::kOk);
  EXPECT_EQ(outcome.user, "alice");
  EXPECT_TRUE(outcome.client_content);
  EXPECT_EQ(LogIn(GetParam(), "alice", "open", users).verdict, Verdict::kDenied);
  EXPECT_EQ(LogIn(GetParam(), "alice", "sesam", users).verdict, Verdict::kDenied);
  EXPECT_EQ(LogIn(GetParam(), "carol", "sesame", users).verdict, Verdict::kDenied);
  EXPECT_EQ(LogIn(GetParam(), "bob", "open", users).verdict, Verdict::kOk);
}

TEST_P(EveryMechanism, KnowsTheRealm) {
  const auto users = Store("realm");
  for (const char* name : {"alice", "alice@realm"}) {
    const Outcome outcome = LogIn(GetParam(), name, "sesame", users);
    EXPECT_EQ(outcome.verdict, Verdict::kOk) << name;
    EXPECT_EQ(outcome.user, "alice@realm");
  }
  EXPECT_EQ(LogIn(GetParam(), "alice@elsewhere", "sesame", users).verdict, Verdict::kDenied);
}

INSTANTIATE_TEST_SUITE_P(Sasl, EveryMechanism,
                         testing::Values("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-224",
                                         "SCRAM-SHA-256", "SCRAM-SHA-384", "SCRAM-SHA-512"));

TEST_F(VerifierTest, MechanismsThatNeedThePasswordLetNobodyIn) {
  const auto users = Store();
  for (const char* mechanism : {"CRAM-MD5", "DIGEST-MD5"}) {
    EXPECT_NE(LogIn(mechanism, "alice", "sesame", users).verdict, Verdict::kOk) << mechanism;
  }
}

TEST_F(VerifierTest, NobodyIsInAnEmptyStore) {
  passwords_.clear();
  const auto users = Store();
  for (const char* mechanism : {"PLAIN", "SCRAM-SHA-256"}) {
    EXPECT_EQ(LogIn(mechanism, "alice", "sesame", users).verdict, Verdict::kDenied) << mechanism;
  }
}

TEST_F(VerifierTest, KeysAreTheSameAgainAndTellNoPassword) {
  const Secret keys = Users::MakeKeys(salt_key_, "alice", "sesame");
  EXPECT_EQ(keys.view().size(), Verifier::kKeyBytes);
  EXPECT_TRUE(keys == Users::MakeKeys(salt_key_, "alice", "sesame"));
  EXPECT_FALSE(keys == Users::MakeKeys(salt_key_, "bob", "sesame"));
  EXPECT_FALSE(keys == Users::MakeKeys(Users::MakeSaltKey(), "alice", "sesame"));
  EXPECT_EQ(keys.view().find("sesame"), std::string_view::npos);
}

// What a name costs says nothing about whether there is one.
TEST_F(VerifierTest, ChecksAsMuchForNamesThatThereAreNot) {
  const auto users = Store();
  const uint64_t before = users->keys_made();
  EXPECT_TRUE(users->Check("alice", "sesame"));
  const uint64_t known = users->keys_made() - before;
  EXPECT_FALSE(users->Check("carol", "sesame"));
  EXPECT_EQ(users->keys_made() - before, 2 * known);
}

}  // namespace
}  // namespace trunkline::sasl
