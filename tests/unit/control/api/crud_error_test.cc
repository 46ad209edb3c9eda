#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "control/api/crud.h"
#include "control/config/error_details.h"
#include "crud_world.h"
#include "proto/google/rpc/error_details.pb.h"

namespace trunkline::api {
namespace {

using ::testing::HasSubstr;

std::string MetadataOf(const absl::Status& status, const std::string& key) {
  google::rpc::ErrorInfo info;
  const auto payload = status.GetPayload("type.googleapis.com/google.rpc.ErrorInfo");
  if (!payload || !info.ParseFromString(std::string(*payload))) return "";
  const auto found = info.metadata().find(key);
  return found == info.metadata().end() ? "" : found->second;
}

class ErrorsOfEveryKind : public ::testing::TestWithParam<Sample> {
 protected:
  World world_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Crud, ErrorsOfEveryKind, ::testing::ValuesIn(kSamples), KindName);

// --- errors: one row each, for every kind

struct Row {
  const char* what;
  const char* method;
  const char* request;
  absl::StatusCode code;
  const char* reason;  // "": none of its own
  const char* field;   // of the violation; "": none
  const char* text;    // in the message
};

using Code = absl::StatusCode;
// There is "there" over the API, with $spec, and "filed" in the file.
const Row kRows[] = {
    {"create: nothing given", "create", "", Code::kInvalidArgument, "", "$f", "is required"},
    {"create: an id in upper case", "create", "$f_id: 'A' $f { spec { $other } }",
     Code::kInvalidArgument, "", "$f_id", "is not 1 to 63 of a-z"},
    {"create: an id one byte too long", "create",
     "$f_id: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' $f {}",
     Code::kInvalidArgument, "", "$f_id", "is not 1 to 63"},
    {"create: a spec that breaks a rule", "create", "$f_id: 'n' $f { spec { $bad } }",
     Code::kInvalidArgument, "INVALID_CONFIGURATION", "$f.spec.$badfield", "$f.spec.$badfield: "},
    {"create: another one of the name", "create", "$f_id: 'there' $f { spec { $other } }",
     Code::kAlreadyExists, "$W_EXISTS", "", "\"there\" is there already"},
    {"create: other labels of the name", "create",
     "$f_id: 'there' $f { spec { $spec } labels { key: 'a' value: 'b' } }", Code::kAlreadyExists,
     "$W_EXISTS", "", "its etag is"},
    {"create: one of the file has the name", "create", "$f_id: 'filed' $f { spec { $other } }",
     Code::kAlreadyExists, "$W_EXISTS", "", "\"filed\" is there already"},
    {"create: a label that is none", "create",
     "$f_id: 'n' $f { spec { $other } labels { key: ' ' } }", Code::kInvalidArgument, "",
     "$f.labels", "is not made of"},
    {"create: a legacy name that is an id", "create",
     "$f_id: 'n' $f { legacy_name: 'filed' spec { $other } }", Code::kAlreadyExists,
     "LEGACY_NAME_IN_USE", "$f.legacy_name", "is the name of"},
    {"create: a request_id that is none", "create",
     "$f_id: 'n' $f { spec { $other } } request_id: '1'", Code::kInvalidArgument, "", "request_id",
     "is no UUID"},
    {"get: no name", "get", "", Code::kInvalidArgument, "", "name", "is required"},
    {"get: an id alone", "get", "name: 'there'", Code::kInvalidArgument, "", "name",
     "is not of the form \"$c/{id}\""},
    {"get: a collection alone", "get", "name: '$c/'", Code::kInvalidArgument, "", "name",
     "is not of the form"},
    {"get: one of another kind", "get", "name: 'routers/there'", Code::kInvalidArgument, "", "name",
     "is not of the form"},
    {"get: there is none", "get", "name: '$c/thre'", Code::kNotFound, "$W_NOT_FOUND", "",
     "did you mean \"there\"?"},
    {"list: a negative page", "list", "page_size: -1", Code::kInvalidArgument, "", "page_size", ""},
    {"list: no token", "list", "page_token: '!'", Code::kInvalidArgument, "", "page_token", ""},
    {"list: no filter", "list", "filter: 'nme = x'", Code::kInvalidArgument, "INVALID_FILTER",
     "filter", "did you mean \"name\"?"},
    {"list: no order", "list", "order_by: 'name up'", Code::kInvalidArgument, "", "order_by", ""},
    {"update: nothing given", "update", "", Code::kInvalidArgument, "", "$f", "is required"},
    {"update: no name", "update", "$f { spec { $other } }", Code::kInvalidArgument, "", "$f.name",
     "is required"},
    {"update: one of another kind", "update", "$f { name: 'x/there' }", Code::kInvalidArgument, "",
     "$f.name", "is not of the form"},
    {"update: there is none", "update", "$f { name: '$c/n' spec { $other } }", Code::kNotFound,
     "$W_NOT_FOUND", "", "there is no"},
    {"update: another etag", "update", "$f { name: '$c/there' etag: 'x' spec { $other } }",
     Code::kAborted, "ETAG_MISMATCH", "", "has been changed meanwhile"},
    {"update: an etag of what has gone", "update",
     "$f { name: '$c/n' etag: 'x' spec { $other } } allow_missing: true", Code::kAborted,
     "ETAG_MISMATCH", "", "is not there any more"},
    {"update: of the file", "update", "$f { name: '$c/filed' spec { $other } }",
     Code::kFailedPrecondition, "READ_ONLY_SOURCE", "", "comes from /etc/t.yaml:5"},
    {"update: another etag of the file", "update",
     "$f { name: '$c/filed' etag: 'x' spec { $other } }", Code::kAborted, "ETAG_MISMATCH", "", ""},
    {"update: no such field", "update",
     "$f { name: '$c/there' } update_mask { paths: 'spec' paths: 'sepc' }", Code::kInvalidArgument,
     "", "update_mask", "did you mean \"spec\"?"},
    {"update: a spec that breaks a rule", "update", "$f { name: '$c/there' spec { $bad } }",
     Code::kInvalidArgument, "INVALID_CONFIGURATION", "$f.spec.$badfield", ""},
    {"update: a label that is none", "update",
     "$f { name: '$c/there' labels { key: 'a b' value: 'x' } }", Code::kInvalidArgument, "",
     "$f.labels", ""},
    {"update: creates under no id", "update",
     "$f { name: '$c/A' spec { $other } } allow_missing: true", Code::kInvalidArgument, "",
     "$f.name", "is not 1 to 63"},
    {"update: a legacy name of another", "update", "$f { name: '$c/there' legacy_name: 'filed' }",
     Code::kAlreadyExists, "LEGACY_NAME_IN_USE", "$f.legacy_name", ""},
    {"delete: no name", "delete", "", Code::kInvalidArgument, "", "name", "is required"},
    {"delete: there is none", "delete", "name: '$c/n'", Code::kNotFound, "$W_NOT_FOUND", "", ""},
    {"delete: another etag", "delete", "name: '$c/there' etag: 'x'", Code::kAborted,
     "ETAG_MISMATCH", "", ""},
    {"delete: of the file", "delete", "name: '$c/filed'", Code::kFailedPrecondition,
     "READ_ONLY_SOURCE", "", "change it there"},
    {"watch: no filter", "watch", "filter: '('", Code::kInvalidArgument, "INVALID_FILTER", "filter",
     ""},
    {"watch: too much of a heartbeat", "watch", "heartbeat { nanos: 999999999 }",
     Code::kInvalidArgument, "", "heartbeat", "999ms is neither 0s nor in 1s..24h"},
    {"watch: too little of one", "watch", "heartbeat { seconds: 86401 }", Code::kInvalidArgument,
     "", "heartbeat", ""},
    {"watch: a heartbeat that goes back", "watch", "heartbeat { seconds: -1 }",
     Code::kInvalidArgument, "", "heartbeat", ""},
    {"watch: no token", "watch", "resume_token: 'x'", Code::kOutOfRange, "RESUME_TOKEN_EXPIRED", "",
     "watch anew"},
};

TEST_P(ErrorsOfEveryKind, ErrorsAreWhatTheRowsSay) {
  world_.Changed("create", "$f_id: 'there' $f { spec { $spec } }");
  const int commits = world_.store.commits;
  for (const Row& row : kRows) {
    const absl::Status status = world_.Do(row.method, row.request)->status();
    EXPECT_EQ(status.code(), row.code) << row.what << ": " << status;
    EXPECT_EQ(config::ReasonOf(status), world_.Fill(row.reason)) << row.what;
    const auto violations = config::ViolationsOf(status);
    EXPECT_EQ(violations.empty() ? "" : violations[0].field, world_.Fill(row.field)) << row.what;
    EXPECT_THAT(std::string(status.message()), HasSubstr(world_.Fill(row.text))) << row.what;
    if (row.method == std::string("list") || row.method == std::string("get")) continue;
    // What would fail fails without being done, and says the same.
    if (row.method == std::string("watch")) continue;
    const absl::Status dry =
        world_.Do(row.method, std::string(row.request) + " validate_only: true")->status();
    if (row.field == std::string("request_id")) continue;  // is none there
    EXPECT_EQ(dry.code(), row.code) << row.what;
  }
  EXPECT_EQ(world_.store.commits, commits);
}

TEST_P(ErrorsOfEveryKind, ErrorsSayWhatIsThere) {
  const auto there = world_.Changed("create", "$f_id: 'there' $f { spec { $spec } }");
  for (const auto& [method, request] : std::vector<std::pair<const char*, const char*>>{
           {"create", "$f_id: 'there' $f { spec { $other } }"},
           {"update", "$f { name: '$c/there' etag: 'x' spec { $other } }"},
           {"delete", "name: '$c/there' etag: 'x'"}}) {
    const absl::Status status = world_.Do(method, request)->status();
    EXPECT_EQ(MetadataOf(status, "current_etag"), config::EtagOf(*there)) << method;
    EXPECT_EQ(MetadataOf(status, "resource_name"), world_.Fill("$c/there")) << method;
  }
  const absl::Status missing = world_.Do("get", "name: '$c/n'")->status();
  EXPECT_EQ(MetadataOf(missing, "known"), "filed, there");
  EXPECT_EQ(MetadataOf(missing, "resource_name"), world_.Fill("$c/n"));
  EXPECT_EQ(MetadataOf(missing, "resource_type"), world_.own().collection->title());
  EXPECT_EQ(MetadataOf(world_.Do("delete", "name: '$c/filed'")->status(), "place"),
            "/etc/t.yaml:5");
}

// --- resources that name others

TEST(References, MustBeThere) {
  const struct {
    const char* collection;
    const char* spec;
    const char* reason;
    const char* field;
    const char* known;
  } kCases[] = {
      {"listeners", "port: 1 tls_profile: 'tlsProfiles/x'", "TLS_PROFILE_NOT_FOUND",
       "listener.spec.tls_profile", "filed"},
      {"listeners", "port: 1 tls_profile: 'filed'", "TLS_PROFILE_NOT_FOUND",
       "listener.spec.tls_profile", "filed"},
      {"listeners", "port: 1 user_store: 'userStores/x'", "USER_STORE_NOT_FOUND",
       "listener.spec.user_store", "filed"},
      {"connectors", "host: 'h' tls_profile: 'tlsProfiles/x'", "TLS_PROFILE_NOT_FOUND",
       "connector.spec.tls_profile", "filed"},
  };
  for (const auto& each : kCases) {
    for (const Sample& sample : kSamples) {
      if (sample.collection != std::string(each.collection)) continue;
      World world(sample);
      const absl::Status status =
          world.Do("create", "$f_id: 'n' $f { spec {" + std::string(each.spec) + "} }")->status();
      EXPECT_TRUE(absl::IsNotFound(status)) << status;
      EXPECT_EQ(config::ReasonOf(status), each.reason);
      EXPECT_EQ(config::ViolationsOf(status).at(0).field, each.field);
      EXPECT_EQ(MetadataOf(status, "known"), each.known);
    }
  }
}

TEST(References, KeepWhatTheyName) {
  World tls(kSamples[2]);
  ASSERT_TRUE(tls.Do("create", "$f_id: 'used' $f { spec { $spec } }")->status().ok());
  auto request = tls.kind("connectors").create->NewRequest();
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "connector_id: 'user' connector { spec { host: 'h' tls_profile: 'tlsProfiles/used' } }",
      request.get()));
  const auto user =
      static_cast<CrudWorld&>(tls).Do(*tls.kind("connectors").create, std::move(request));
  ASSERT_TRUE(user->status().ok()) << user->status();
  const absl::Status status = tls.Do("delete", "name: '$c/used'")->status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(config::ReasonOf(status), "IN_USE");
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("TLS profile \"used\" is used by connectors/user"));
  google::rpc::PreconditionFailure failure;
  ASSERT_TRUE(failure.ParseFromString(
      std::string(*status.GetPayload("type.googleapis.com/google.rpc.PreconditionFailure"))));
  ASSERT_EQ(failure.violations_size(), 1);
  EXPECT_EQ(failure.violations(0).type(), "IN_USE");
  EXPECT_EQ(failure.violations(0).subject(), "connectors/user");
}

TEST(Listeners, CannotHaveThePortOfAnother) {
  World world;
  ASSERT_TRUE(world.Do("create", "$f_id: 'm' $f { spec { $spec } }")->status().ok());
  for (const auto& [id, spec, other] : std::vector<std::array<const char*, 3>>{
           {"a", "$spec", "m"}, {"n", "$spec", "m"}, {"a", "$filed", "filed"}}) {
    const absl::Status status =
        world.Do("create", std::string("$f_id: '") + id + "' $f { spec { " + spec + " } }")
            ->status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_EQ(config::ReasonOf(status), "PORT_IN_USE");
    EXPECT_EQ(config::ViolationsOf(status).at(0).field, "listener.spec.port");
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("used by listener \"" + std::string(other) + "\""));
  }
}

TEST(Addresses, CannotHaveThePatternOfAnother) {
  World world(kSamples[4]);
  ASSERT_TRUE(world.Do("create", "$f_id: 'a' $f { spec { $spec } }")->status().ok());
  const absl::Status status = world.Do("create", "$f_id: 'b' $f { spec { $spec } }")->status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(config::ReasonOf(status), "PATTERN_IN_USE");
}

// --- malformed requests: mutations of good ones

TEST_P(ErrorsOfEveryKind, StandRequestsThatAreBent) {
  const char* kRequests[][2] = {
      {"create",
       "$f_id: 'n' $f { legacy_name: 'n' labels { key: 'a' value: 'b' } spec { $spec } } "
       "request_id: '$uuid'"},
      {"update",
       "$f { name: '$c/n' etag: 'x' spec { $other } } update_mask { paths: 'spec' } "
       "allow_missing: true"},
      {"delete", "name: '$c/n' etag: 'x' allow_missing: true"},
      {"get", "name: '$c/n'"},
      {"list", "page_size: 1 filter: 'labels.a = b' order_by: 'name desc'"},
      {"watch", "filter: 'name:n' heartbeat { seconds: 1 }"},
  };
  Random random(9);
  int answered = 0;
  for (const auto& [what, text] : kRequests) {
    const Method& method = world_.method(what);
    auto request = method.NewRequest();
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(world_.Fill(text), request.get()));
    const std::string good = request->SerializeAsString();
    for (int i = 0; i < 500; ++i) {
      std::string bytes = good;
      for (uint64_t n = 1 + random.Below(3); n > 0; --n) {
        bytes[random.Below(bytes.size())] = static_cast<char>(random.Below(256));
      }
      auto bent = method.NewRequest();
      if (!bent->ParseFromString(bytes)) continue;
      const auto call = world_.CrudWorld::Do(method, std::move(bent));
      const bool watches = !call->end.has_value();
      EXPECT_TRUE(!watches || what == std::string("watch"));
      if (watches) call->call.lock()->Gone(absl::CancelledError("gone"));
      ++answered;
    }
  }
  EXPECT_GT(answered, 100);
}

}  // namespace
}  // namespace trunkline::api
