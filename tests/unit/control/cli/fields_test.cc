#include "control/cli/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "proto/trunkline/control/v1/connector.pb.h"
#include "proto/trunkline/control/v1/listener.pb.h"
#include "proto/trunkline/control/v1/tls.pb.h"

namespace trunkline::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Fields, AreWrittenAsInTheFile) {
  control::v1::Connector connector;
  std::vector<std::string> paths;
  const absl::Status status =
      ReadFields({"KIND", "ID", "host=broker", "idle_timeout=1m30s", "failover=[a, \"b:1\"]",
                  "backoff.failed=2s", "tls_profile=service", "port="},
                 2, connector, paths);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(connector.spec().host(), "broker");
  EXPECT_EQ(connector.spec().idle_timeout().seconds(), 90);
  EXPECT_THAT(connector.spec().failover(), ElementsAre("a", "b:1"));
  EXPECT_EQ(connector.spec().backoff().failed().seconds(), 2);
  EXPECT_EQ(connector.spec().tls_profile(), "tlsProfiles/service");
  EXPECT_FALSE(connector.spec().has_port());
  EXPECT_THAT(paths, ElementsAre("spec.host", "spec.idle_timeout", "spec.failover",
                                 "spec.backoff.failed", "spec.tls_profile", "spec.port"));
}

TEST(Fields, NamesOfFilesStartHere) {
  control::v1::TlsProfile profile;
  std::vector<std::string> paths;
  ASSERT_TRUE(
      ReadFields({"ca_file=certs/../ca.crt", "crl_file=/etc/x.crl"}, 0, profile, paths).ok());
  EXPECT_EQ(profile.spec().ca_file(), (std::filesystem::current_path() / "ca.crt").string());
  EXPECT_EQ(profile.spec().crl_file(), "/etc/x.crl");
}

TEST(Fields, MistakesAreNamed) {
  const auto problem = [](const std::string& word) {
    control::v1::Listener listener;
    std::vector<std::string> paths;
    return std::string(ReadFields({word}, 0, listener, paths).message());
  };
  EXPECT_EQ(problem("port"), "\"port\" is not FIELD=VALUE");
  EXPECT_EQ(problem("=1"), "\"=1\" is not FIELD=VALUE");
  EXPECT_THAT(problem("prot=1"), HasSubstr("did you mean \"port\"?"));
  EXPECT_THAT(problem("port=many"), HasSubstr("port: "));
  EXPECT_THAT(problem("idle_timeout=5"), HasSubstr("has no unit"));
  EXPECT_THAT(problem("port={"), HasSubstr("port={: "));
  EXPECT_THAT(problem("port=1}, host: x, y: {"), HasSubstr("port"));
}

TEST(Fields, AreGivenOnce) {
  control::v1::Listener listener;
  std::vector<std::string> paths;
  const absl::Status status = ReadFields({"host=a", "port=1", "host=a"}, 0, listener, paths);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(), "host: is given twice");
}

TEST(Labels, AreSetAndTakenAway) {
  control::v1::Listener listener;
  std::vector<std::string> paths;
  ASSERT_TRUE(ReadLabels({"team=billing", "x=", "old-"}, listener, paths).ok());
  EXPECT_EQ(listener.labels().at("team"), "billing");
  EXPECT_EQ(listener.labels().at("x"), "");
  EXPECT_EQ(listener.labels().count("old"), 0U);
  EXPECT_THAT(paths, ElementsAre("labels.team", "labels.x", "labels.old"));
  for (const char* wrong : {"", "a", "=b", "-"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ReadLabels({wrong}, listener, paths))) << wrong;
  }
}

}  // namespace
}  // namespace trunkline::cli
