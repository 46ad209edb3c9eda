#include "control/store/users_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/error_details.h"
#include "control/store/layers.h"
#include "control/store/state_format.h"

namespace trunkline::store {
namespace {

using testing::IsEmpty;

// A layer with so many users in two stores.
config::Document WithUsers(size_t count) {
  config::Document made;
  auto one = std::make_shared<config::BuiltInUsers>();
  auto other = std::make_shared<config::BuiltInUsers>();
  for (size_t i = 0; i < count; ++i) (i % 2 == 0 ? one : other)->users[std::to_string(i)] = {};
  made.built_in_users["one"] = std::move(one);
  made.built_in_users["other"] = std::move(other);
  return made;
}

TEST(UsersEdit, TakesSoManyUsersOfAllStores) {
  config::Document made = WithUsers(kBuiltInUsersMax - 1);
  EXPECT_TRUE(PutUser(made, "one", "last", Secret("sesame"), 1).ok());
  const absl::Status refused = PutUser(made, "one", "beyond", Secret("sesame"), 1);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(config::ReasonOf(refused), "TOO_MANY_USERS");
  EXPECT_FALSE(made.built_in_users.at("one")->users.contains("beyond"));
  EXPECT_TRUE(PutUser(made, "one", "last", Secret("another"), 2).ok()) << "it is there already";
  EXPECT_TRUE(RemoveUser(made, "other", "1"));
  EXPECT_TRUE(PutUser(made, "one", "beyond", Secret("sesame"), 1).ok());
}

// Who has the document before the change sees nothing of it.
TEST(UsersEdit, LeavesTheDocumentBeforeAsItWas) {
  config::Document before;
  ASSERT_TRUE(PutUser(before, "one", "alice", Secret("sesame"), 1).ok());
  config::Document after = before;
  ASSERT_TRUE(PutUser(after, "one", "alice", Secret("another"), 2).ok());
  ASSERT_TRUE(PutUser(after, "one", "bob", Secret("sesame"), 2).ok());
  EXPECT_EQ(before.built_in_users.at("one")->users.size(), 1u);
  EXPECT_EQ(before.built_in_users.at("one")->users.at("alice").updated, 1);
  EXPECT_TRUE(RemoveUser(after, "one", "alice"));
  EXPECT_TRUE(before.built_in_users.at("one")->users.contains("alice"));
}

TEST(UsersEdit, TheStateGivesUsersBack) {
  config::Document made;
  ASSERT_TRUE(PutUser(made, "one", "alice", Secret("sesame"), 1'700'000'000'250).ok());
  const std::string bytes(EncodeState(made)->view());
  const auto again = DecodeState(bytes);
  ASSERT_TRUE(again.ok()) << again.status();
  const config::BuiltInUsers& was = *made.built_in_users.at("one");
  const config::BuiltInUsers& is = *again->built_in_users.at("one");
  EXPECT_TRUE(is.salt_key == was.salt_key);
  EXPECT_TRUE(is.users.at("alice").keys == was.users.at("alice").keys);
  EXPECT_EQ(is.users.at("alice").created, 1'700'000'000'250);
  EXPECT_EQ(is.users.at("alice").updated, 1'700'000'000'250);
}

TEST(UsersEdit, KeysThatAreCutAreNoState) {
  const auto state = DecodeState(
      R"({"format": 1, "users": {"one": {"salt_key": "YQ==", "users": {"a": {"keys": "YQ=="}}}}})");
  EXPECT_TRUE(absl::IsDataLoss(state.status())) << state.status();
}

TEST(UsersEdit, UsersStayWithAStoreOfTheFileAlone) {
  config::Document file;
  file.user_stores["one"].mutable_spec()->set_built_in(true);
  config::Document made = WithUsers(2);
  ForgetUsers(file, made);
  EXPECT_EQ(made.built_in_users.count("one"), 1u);
  EXPECT_EQ(made.built_in_users.count("other"), 0u);
  file.user_stores["one"].mutable_spec()->set_built_in(false);
  ForgetUsers(file, made);
  EXPECT_THAT(made.built_in_users, IsEmpty());
}

}  // namespace
}  // namespace trunkline::store
