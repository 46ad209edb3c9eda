#include "control/cli/contexts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace trunkline::cli {
namespace {

using ::testing::HasSubstr;

// A person with a home of their own.
class Contexts : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "trunkctl-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    home_ = name;
    ::setenv("XDG_CONFIG_HOME", home_.c_str(), 1);
    std::filesystem::create_directories(home_ / "trunkline");
  }
  void TearDown() override { std::filesystem::remove_all(home_); }

  std::string file() const { return home_ / "trunkline" / "contexts.yaml"; }
  void Write(const std::string& text, mode_t mode = 0600) const {
    std::ofstream(file()) << text;
    ASSERT_EQ(::chmod(file().c_str(), mode), 0);
  }

  std::filesystem::path home_;
};

constexpr char kTwo[] =
    "current: east\n"
    "contexts:\n"
    "  east: {endpoint: \"east:9443\", tls_cert: me.crt, tls_key: /k/me.key, tls_name: e}\n"
    "  west: {endpoint: /run/west.sock}\n";

TEST_F(Contexts, WithoutAFileNoneIsUsed) {
  EXPECT_EQ(EndpointOfContext("")->address, "");
  EXPECT_TRUE(absl::IsInvalidArgument(EndpointOfContext("east").status()));
}

TEST_F(Contexts, OneIsUsedUnlessAnotherIsNamed) {
  Write(kTwo);
  const auto east = EndpointOfContext("");
  ASSERT_TRUE(east.ok()) << east.status();
  EXPECT_EQ(east->address, "east:9443");
  EXPECT_EQ(east->tls_certificate, (home_ / "trunkline/me.crt").string());
  EXPECT_EQ(east->tls_key, "/k/me.key");
  EXPECT_EQ(east->tls_server_name, "e");
  EXPECT_EQ(EndpointOfContext("west")->address, "/run/west.sock");
  EXPECT_THAT(EndpointOfContext("wets").status().message(), HasSubstr("did you mean \"west\"?"));
}

TEST_F(Contexts, AFileThatOthersMayReadIsNotTrusted) {
  for (const mode_t mode : {0640, 0604, 0620, 0602}) {
    Write(kTwo, mode);
    EXPECT_THAT(EndpointOfContext("east").status().message(), HasSubstr("chmod 600")) << mode;
  }
}

TEST_F(Contexts, MistakesHavePlaces) {
  Write("contexts:\n  east: {endpiont: x}\n");
  EXPECT_THAT(EndpointOfContext("").status().message(),
              HasSubstr("contexts.yaml:2:10: contexts.east.endpiont: is not known"));
  Write("curent: east\n");
  EXPECT_THAT(EndpointOfContext("").status().message(), HasSubstr(":1:1: curent: is not known"));
}

TEST_F(Contexts, AnyPartOfAFileIsReadOrRefused) {
  const std::string whole = kTwo;
  for (size_t size = 0; size < whole.size(); ++size) {
    Write(whole.substr(0, size));
    const auto endpoint = EndpointOfContext("");
    if (endpoint.ok()) continue;
    EXPECT_FALSE(endpoint.status().message().empty()) << size;
  }
}

}  // namespace
}  // namespace trunkline::cli
