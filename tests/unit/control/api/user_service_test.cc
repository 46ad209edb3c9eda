#include "control/api/user_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/api/method_table.h"
#include "control/config/error_details.h"
#include "fake_store.h"

namespace trunkline::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

config::Document Stores() {
  config::Document file;
  for (const char* id : {"built", "other", "files"}) {
    v1::UserStore& store = file.user_stores[id];
    store.set_name(std::string("userStores/") + id);
    store.mutable_spec()->set_built_in(true);
  }
  file.user_stores["files"].mutable_spec()->set_built_in(false);
  file.user_stores["files"].mutable_spec()->set_directory("/users");
  return file;
}

class UserServiceTest : public testing::Test {
 protected:
  template <typename Reply, typename Request>
  absl::StatusOr<Reply> Ask(const std::string& name, const Request& request) {
    const Method& method = *table_.Find("/trunkline.control.v1.UserService/" + name);
    auto copy = method.NewRequest();
    copy->CopyFrom(request);
    absl::Status end = absl::UnknownError("under way");
    Reply reply;
    Call::Exits exits;
    exits.write = [&](const google::protobuf::Message& m) { reply.CopyFrom(m); };
    exits.finish = [&](const absl::Status& status) { end = status; };
    handlers_.at("UserService/" + name)(
        std::make_shared<Call>(method, std::move(copy), Caller{"local"}, std::move(exits)));
    if (!end.ok()) return end;
    return reply;
  }
  absl::StatusOr<v1::PutUserResponse> Put(const std::string& name,
                                          const std::string& password = "sesame") {
    v1::PutUserRequest request;
    request.mutable_user()->set_name(name);
    request.set_password(password);
    return Ask<v1::PutUserResponse>("PutUser", request);
  }
  absl::Status Delete(const std::string& name, bool allow_missing = false) {
    v1::DeleteUserRequest request;
    request.set_name(name);
    request.set_allow_missing(allow_missing);
    return Ask<v1::DeleteUserResponse>("DeleteUser", request).status();
  }
  // Their names, page by page.
  std::vector<std::string> List(const std::string& store, int size = 0) {
    std::vector<std::string> names;
    v1::ListUsersRequest request;
    request.set_parent(store);
    request.set_page_size(size);
    do {
      const auto reply = Ask<v1::ListUsersResponse>("ListUsers", request);
      EXPECT_TRUE(reply.ok()) << reply.status();
      if (!reply.ok()) break;
      EXPECT_LE(reply->users_size(), size == 0 ? 100 : size);
      for (const v1::User& user : reply->users()) names.push_back(user.name());
      request.set_page_token(reply->next_page_token());
    } while (!request.page_token().empty());
    return names;
  }

  const MethodTable table_;
  FakeStore store_{Stores()};
  int64_t wall_ = 5000;
  UserService service_{store_, {.now = [] { return Time(); }, .wall = [this] { return wall_; }}};
  Handlers handlers_ = service_.MakeHandlers();
};

TEST_F(UserServiceTest, MakesAUserAndGivesItAnotherPassword) {
  auto reply = Put("userStores/built/users/alice");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_TRUE(reply->created());
  EXPECT_TRUE(reply->persisted());
  EXPECT_EQ(reply->user().name(), "userStores/built/users/alice");
  const config::BuiltInUser first = store_.made().built_in_users.at("built")->users.at("alice");
  wall_ = 9000;
  reply = Put("userStores/built/users/alice", "another");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_FALSE(reply->created());
  EXPECT_EQ(reply->user().create_time().seconds(), 5);
  EXPECT_EQ(reply->user().update_time().seconds(), 9);
  const config::BuiltInUser& second = store_.made().built_in_users.at("built")->users.at("alice");
  EXPECT_FALSE(second.keys == first.keys);
  EXPECT_EQ(second.keys.view().find("another"), std::string_view::npos);
}

TEST_F(UserServiceTest, ListsByPages) {
  EXPECT_THAT(List("userStores/built"), IsEmpty());
  for (const char* name : {"carol", "Alice", "a/b@c", "bob"}) {
    ASSERT_TRUE(Put(std::string("userStores/built/users/") + name).ok());
  }
  ASSERT_TRUE(Put("userStores/other/users/dave").ok());
  const auto all = ElementsAre("userStores/built/users/Alice", "userStores/built/users/a/b@c",
                               "userStores/built/users/bob", "userStores/built/users/carol");
  EXPECT_THAT(List("userStores/built"), all);
  for (int size = 1; size < 6; ++size) EXPECT_THAT(List("userStores/built", size), all);
}

TEST_F(UserServiceTest, DeletesAUser) {
  ASSERT_TRUE(Put("userStores/built/users/alice").ok());
  EXPECT_TRUE(Delete("userStores/built/users/alice").ok());
  EXPECT_THAT(List("userStores/built"), IsEmpty());
  const absl::Status again = Delete("userStores/built/users/alice");
  EXPECT_EQ(again.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(config::ReasonOf(again), "USER_NOT_FOUND");
  EXPECT_TRUE(Delete("userStores/built/users/alice", true).ok());
}

TEST_F(UserServiceTest, KnowsBuiltInStoresOnly) {
  absl::Status status = Put("userStores/files/users/alice").status();
  EXPECT_EQ(config::ReasonOf(status), "NOT_BUILT_IN");
  status = Put("userStores/none/users/alice").status();
  EXPECT_EQ(config::ReasonOf(status), "USER_STORE_NOT_FOUND");
  status = Put("userStores/built").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(config::ViolationsOf(status).front().field, "user.name");
}

TEST_F(UserServiceTest, TakesNamesAndPasswordsWithinLimits) {
  const std::string users = "userStores/built/users/";
  EXPECT_TRUE(Put(users + std::string(255, 'n')).ok());
  for (const std::string& name : {std::string(256, 'n'), std::string(), std::string("a b"),
                                  std::string("a\n"), std::string("a\x7f")}) {
    EXPECT_EQ(Put(users + name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_TRUE(Put(users + "p", std::string(1024, 'p')).ok());
  for (const std::string& password :
       {std::string(1025, 'p'), std::string(), std::string("a\0b", 3)}) {
    const absl::Status status = Put(users + "p", password).status();
    ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(config::ViolationsOf(status).front().field, "password");
  }
}

TEST_F(UserServiceTest, CountsTheRealmAsPartOfTheName) {
  config::Document file = Stores();
  file.user_stores["built"].mutable_spec()->set_realm("1234");
  FakeStore store(file);
  UserService service(store, {.now = [] { return Time(); }, .wall = [] { return 1; }});
  handlers_ = service.MakeHandlers();
  EXPECT_TRUE(Put("userStores/built/users/" + std::string(250, 'n')).ok());
  EXPECT_FALSE(Put("userStores/built/users/" + std::string(251, 'n')).ok());
}

TEST_F(UserServiceTest, RefusesPageTokensOfOthers) {
  v1::ListUsersRequest request;
  request.set_parent("userStores/built");
  request.set_page_token("%");
  EXPECT_EQ(Ask<v1::ListUsersResponse>("ListUsers", request).status().code(),
            absl::StatusCode::kInvalidArgument);
  request.set_page_token("");
  request.set_page_size(-1);
  EXPECT_EQ(Ask<v1::ListUsersResponse>("ListUsers", request).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(UserServiceTest, ADiskThatIsFullChangesNothing) {
  store_.disk_is_full = true;
  EXPECT_EQ(Put("userStores/built/users/alice").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(store_.made().built_in_users, IsEmpty());
}

}  // namespace
}  // namespace trunkline::api
