#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "control/cli/apply.h"
#include "google/protobuf/util/message_differencer.h"

namespace trunkline::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Read {
  absl::StatusOr<control::v1::ConfigBundle> bundle;
  std::vector<std::string> passed_over;
};

Read Text(std::string_view text, const std::string& file = "f.yaml") {
  Read read;
  read.bundle = ReadBundle(text, file, read.passed_over);
  return read;
}

TEST(Bundle, IsASectionForEachKind) {
  const Read read = Text(
      "router: {id: east}\n"
      "metrics: {}\n"
      "listeners:\n- {name: amqp, labels: {team: a}, tls_profile: elsewhere}\n"
      "addresses:\n- prefix: news\n");
  ASSERT_TRUE(read.bundle.ok()) << read.bundle.status();
  EXPECT_EQ(read.bundle->listeners(0).name(), "listeners/amqp");
  EXPECT_EQ(read.bundle->listeners(0).labels().at("team"), "a");
  EXPECT_EQ(read.bundle->addresses(0).name(), "addresses/news");
  EXPECT_THAT(read.passed_over, ElementsAre("router", "metrics"));
}

TEST(Bundle, MayBeJson) {
  const Read read = Text(
      " {\"listeners\": [{\"name\": \"listeners/a\", \"spec\": {\"port\": 1,"
      " \"idle_timeout\": \"5s\"}}]}");
  ASSERT_TRUE(read.bundle.ok()) << read.bundle.status();
  EXPECT_EQ(read.bundle->listeners(0).spec().port(), 1U);
  EXPECT_EQ(read.bundle->listeners(0).spec().idle_timeout().seconds(), 5);
  EXPECT_THAT(Text("{\"listeners\": [{\"spec\" : {\"prot\": 1}}]}").bundle.status().message(),
              HasSubstr("f.yaml: (listeners[0].spec) prot"));
  const Read bare = Text("{\"tlsProfiles\": [{\"name\": \"tlsProfiles/a\"}]}");
  ASSERT_TRUE(bare.bundle.ok()) << bare.bundle.status();
  EXPECT_EQ(bare.bundle->tls_profiles(0).name(), "tlsProfiles/a");
  EXPECT_TRUE(Text("{}").bundle.ok());
}

// JSON is YAML.
TEST(Bundle, MayBeATrunklineYamlInJson) {
  const Read read = Text(
      "{\"router\": {\"id\": \"east\"}, \"listeners\": [{\"name\": \"a\", \"port\": 1,"
      " \"idle_timeout\": \"5s\"}], \"tls_profiles\": [{\"name\": \"spec\"}]}",
      "f.json");
  ASSERT_TRUE(read.bundle.ok()) << read.bundle.status();
  EXPECT_EQ(read.bundle->listeners(0).name(), "listeners/a");
  EXPECT_EQ(read.bundle->listeners(0).spec().port(), 1U);
  EXPECT_EQ(read.bundle->tls_profiles(0).name(), "tlsProfiles/spec");
  EXPECT_THAT(read.passed_over, ElementsAre("router"));
  EXPECT_EQ(Text("{\"listeners\": [{\"name\": \"a\"}]}").bundle->listeners(0).name(),
            "listeners/a");
  EXPECT_EQ(Text("{\"listners\": []}", "f.json").bundle.status().message(),
            "f.json:1:2: listners: unknown key; did you mean \"listeners\"?");
  EXPECT_TRUE(absl::IsFailedPrecondition(Text("{\"listeners\": [").bundle.status()));
}

TEST(Bundle, NamesOfFilesStartAtItsFolder) {
  const Read read = Text("tls_profiles:\n- {name: a, ca_file: ca.crt}\n", "sub/f.yaml");
  ASSERT_TRUE(read.bundle.ok()) << read.bundle.status();
  EXPECT_EQ(read.bundle->tls_profiles(0).spec().ca_file(),
            (std::filesystem::current_path() / "sub/ca.crt").string());
}

TEST(Bundle, NamesOfFilesStartAtItsFolderInJsonToo) {
  const Read yaml = Text(
      "tls_profiles:\n- {name: a, certificate_file: ../a.crt, ca_file: /ca.crt}\n- {name: b}\n"
      "user_stores:\n- {name: u, directory: users}\n"
      "connectors:\n- {name: c, host: h, sasl_password_file: password}\n",
      "sub/f.yaml");
  const Read json = Text(
      "{\"tls_profiles\": [{\"name\": \"tlsProfiles/a\", \"spec\": {\"certificate_file\":"
      " \"../a.crt\", \"ca_file\": \"/ca.crt\"}}, {\"name\": \"tlsProfiles/b\", \"spec\": {}}],"
      " \"user_stores\": [{\"name\": \"userStores/u\", \"spec\": {\"directory\": \"users\"}}],"
      " \"connectors\": [{\"name\": \"connectors/c\", \"spec\": {\"host\": \"h\","
      " \"sasl_password_file\": \"password\"}}]}",
      "sub/f.json");
  ASSERT_TRUE(yaml.bundle.ok()) << yaml.bundle.status();
  ASSERT_TRUE(json.bundle.ok()) << json.bundle.status();
  EXPECT_EQ(json.bundle->user_stores(0).spec().directory(),
            (std::filesystem::current_path() / "sub/users").string());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*yaml.bundle, *json.bundle))
      << json.bundle->DebugString() << yaml.bundle->DebugString();
}

TEST(Bundle, ProblemsHaveThePlaceInTheFileAsItWasNamed) {
  const absl::Status status =
      Text("listeners:\n- {name: a, prot: 1}\n", "sub/f.yaml").bundle.status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(status.message(),
            "sub/f.yaml:2:13: listeners[a].prot: unknown key; did you mean \"port\"?");
}

TEST(Bundle, AFileMayBeNamedFromTheRoot) {
  const absl::Status status =
      Text("listeners:\n- {name: a, prot: 1}\n", "/sub/f.yaml").bundle.status();
  EXPECT_EQ(status.message(),
            "/sub/f.yaml:2:13: listeners[a].prot: unknown key; did you mean \"port\"?");
}

TEST(Bundle, OfACutTextIsAProblemOrLess) {
  const std::string whole = "listeners:\n- {name: a, port: 1}\naddresses:\n- {prefix: b}\n";
  for (size_t size = 0; size < whole.size(); ++size) {
    const Read read = Text(whole.substr(0, size));
    if (read.bundle.ok()) {
      EXPECT_LE(read.bundle->listeners_size() + read.bundle->addresses_size(), 2) << size;
    }
  }
}

}  // namespace
}  // namespace trunkline::cli
