#include "control/api/mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/error_details.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "proto/trunkline/control/v1/connector.pb.h"

namespace trunkline::api {
namespace {

namespace v1 = control::v1;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kThere[] = R"pb(
  name: "connectors/b"
  uid: "u"
  etag: "e"
  generation: 4
  labels { key: "team" value: "billing" }
  labels { key: "stage" value: "test" }
  spec {
    host: "b.example"
    port: 5671
    failover: [ "c", "d" ]
    verify_hostname: false
    backoff {
      failed { seconds: 1 }
      closed { seconds: 2 }
    }
  }
  status { state: STATE_OPEN })pb";

template <typename Message>
Message Parsed(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

absl::Status Apply(const std::vector<std::string>& paths, const v1::Connector& given,
                   v1::Connector& resource) {
  google::protobuf::FieldMask mask;
  for (const std::string& path : paths) mask.add_paths(path);
  return ApplyMask(mask, given, resource);
}

struct Case {
  const char* what;
  std::vector<std::string> paths;
  const char* given;
  // What becomes of kThere, in place of its legacy_name, labels and spec.
  const char* legacy_name = "";
  const char* labels;
  const char* spec;
};

constexpr char kLabels[] = R"(labels { key: "team" value: "billing" }
                              labels { key: "stage" value: "test" })";
constexpr char kSpec[] = R"(spec { host: "b.example" port: 5671 failover: ["c", "d"]
                            verify_hostname: false
                            backoff { failed { seconds: 1 } closed { seconds: 2 } } })";

const Case kCases[] = {
    {"one field",
     {"spec.port"},
     "spec { host: 'x' port: 1 }",
     "",
     kLabels,
     R"(spec { host: "b.example" port: 1 failover: ["c", "d"] verify_hostname: false
        backoff { failed { seconds: 1 } closed { seconds: 2 } } })"},
    {"a field that is not set",
     {"spec.port"},
     "spec { host: 'x' }",
     "",
     kLabels,
     R"(spec { host: "b.example" failover: ["c", "d"] verify_hostname: false
        backoff { failed { seconds: 1 } closed { seconds: 2 } } })"},
    {"a list as a whole",
     {"spec.failover"},
     "spec { failover: 'x' }",
     "",
     kLabels,
     R"(spec { host: "b.example" port: 5671 failover: "x" verify_hostname: false
        backoff { failed { seconds: 1 } closed { seconds: 2 } } })"},
    {"a field two levels down",
     {"spec.backoff.failed"},
     "spec { backoff { failed { nanos: 5000000 } } }",
     "",
     kLabels,
     R"(spec { host: "b.example" port: 5671 failover: ["c", "d"] verify_hostname: false
        backoff { failed { nanos: 5000000 } closed { seconds: 2 } } })"},
    {"a message as a whole",
     {"spec.backoff"},
     "spec { backoff { failover { seconds: 9 } } }",
     "",
     kLabels,
     R"(spec { host: "b.example" port: 5671 failover: ["c", "d"] verify_hostname: false
                 backoff { failover { seconds: 9 } } })"},
    {"the spec as a whole", {"spec"}, "spec { host: 'x' }", "", kLabels, "spec { host: 'x' }"},
    {"the spec away", {"spec"}, "", "", kLabels, ""},
    {"the labels as a whole",
     {"labels"},
     "labels { key: 'a' value: 'b' }",
     "",
     "labels { key: 'a' value: 'b' }",
     kSpec},
    {"one label",
     {"labels.team"},
     "labels { key: 'team' value: 'x' } labels { key: 'a' }",
     "",
     "labels { key: 'team' value: 'x' } labels { key: 'stage' value: 'test' }",
     kSpec},
    {"a label away", {"labels.team"}, "", "", "labels { key: 'stage' value: 'test' }", kSpec},
    {"the legacy name", {"legacy_name"}, "legacy_name: 'B/1'", "B/1", kLabels, kSpec},
    {"all", {"*"}, "spec { host: 'x' }", "", "", "spec { host: 'x' }"},
    {"nothing: what is set",
     {},
     R"(labels { key: 'a' value: 'b' }
      spec { port: 0 backoff { closed { seconds: 7 } } })",
     "",
     "labels { key: 'a' value: 'b' }",
     R"(spec { host: "b.example" port: 0 failover: ["c", "d"] verify_hostname: false
        backoff { failed { seconds: 1 } closed { seconds: 7 } } })"},
    {"nothing, and nothing set", {}, "", "", kLabels, kSpec},
    {"what the router tells",
     {"name", "uid", "etag", "generation", "create_time", "update_time", "source", "status",
      "status.state"},
     "name: 'x' uid: 'x' etag: 'x' generation: 9 source: SOURCE_API status { attempts: 5 }",
     "",
     kLabels,
     kSpec},
};

TEST(Masks, ChangeWhatTheyName) {
  for (const Case& each : kCases) {
    v1::Connector resource = Parsed<v1::Connector>(kThere);
    v1::Connector wanted = resource;
    wanted.clear_labels();
    wanted.clear_spec();
    wanted.set_legacy_name(each.legacy_name);
    wanted.MergeFrom(Parsed<v1::Connector>(std::string(each.labels) + each.spec));
    const absl::Status status = Apply(each.paths, Parsed<v1::Connector>(each.given), resource);
    EXPECT_TRUE(status.ok()) << each.what << ": " << status;
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(resource, wanted))
        << each.what << ": " << resource.DebugString();
  }
}

// Neither has the message around the field: it is not made for nothing.
TEST(Masks, MakeNoMessageWithNothingInIt) {
  for (const char* given : {"", "spec { backoff { closed { seconds: 7 } } }"}) {
    auto resource = Parsed<v1::Connector>("spec { host: 'b' }");
    ASSERT_TRUE(Apply({"spec.backoff.failed"}, Parsed<v1::Connector>(given), resource).ok());
    EXPECT_EQ(resource.ShortDebugString(), R"(spec { host: "b" })") << given;
  }
  v1::Connector bare;
  ASSERT_TRUE(Apply({"spec.port"}, bare, bare).ok());
  EXPECT_FALSE(bare.has_spec());
  ASSERT_TRUE(Apply({"spec.backoff.failed", "spec.backoff.closed"},
                    Parsed<v1::Connector>("spec { backoff { closed { seconds: 7 } } }"), bare)
                  .ok());
  EXPECT_EQ(bare.ShortDebugString(), "spec { backoff { closed { seconds: 7 } } }");
}

TEST(Masks, RefuseFieldsThatThereAreNot) {
  const struct {
    const char* path;
    const char* wrong;
  } kWrong[] = {
      {"spec.prt", "there is no field \"spec.prt\"; did you mean \"port\"?"},
      {"Spec", "there is no field \"Spec\"; did you mean \"spec\"?"},
      {"", "there is no field \"\""},
      {"spec.", "there is no field \"spec.\""},
      {"spec..port", "there is no field \"spec..port\""},
      {"spec.failover.0", "\"failover\" has no fields"},
      {"spec.port.x", "\"port\" has no fields"},
      {"spec.backoff.failed.seconds", "\"failed\" has no fields"},
      {"labels.", "ends with a dot"},
      {"connector.spec.port", "there is no field \"connector.spec.port\""},
  };
  for (const auto& each : kWrong) {
    v1::Connector resource = Parsed<v1::Connector>(kThere);
    const absl::Status status = Apply({"spec.host", each.path}, v1::Connector(), resource);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << each.path;
    ASSERT_THAT(config::ViolationsOf(status), SizeIs(1)) << each.path;
    EXPECT_EQ(config::ViolationsOf(status)[0].field, "update_mask");
    EXPECT_THAT(config::ViolationsOf(status)[0].description, HasSubstr(each.wrong));
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(resource,
                                                                   Parsed<v1::Connector>(kThere)));
  }
}

TEST(Masks, AreOfBoundedSize) {
  v1::Connector resource;
  std::vector<std::string> paths(kMaskPathsMax, "spec.port");
  EXPECT_TRUE(Apply(paths, v1::Connector(), resource).ok());
  paths.emplace_back("spec.port");
  EXPECT_THAT(std::string(Apply(paths, v1::Connector(), resource).message()),
              HasSubstr("101 paths are more than 100"));
}

}  // namespace
}  // namespace trunkline::api
