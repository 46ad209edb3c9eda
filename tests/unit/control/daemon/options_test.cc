#include "control/daemon/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::daemon {
namespace {

using Verb = Options::Verb;

absl::StatusOr<Options> Parse(std::vector<const char*> arguments) {
  return ParseOptions(arguments);
}

std::string Error(std::vector<const char*> arguments) {
  return std::string(ParseOptions(arguments).status().message());
}

TEST(Options, AreNotNeeded) {
  const Options options = Parse({}).value();
  EXPECT_EQ(options.verb, Verb::kRun);
  EXPECT_EQ(options.config, "");
  EXPECT_EQ(options.log_level, std::nullopt);
  EXPECT_EQ(options.log_format, std::nullopt);
}

TEST(Options, NameAConfiguration) {
  for (auto arguments :
       std::vector<std::vector<const char*>>{{"--config", "f"}, {"-c", "f"}, {"--config=f"}}) {
    const Options options = Parse(arguments).value();
    EXPECT_EQ(options.verb, Verb::kRun);
    EXPECT_EQ(options.config, "f");
  }
  const Options check = Parse({"--check-config", "f"}).value();
  EXPECT_EQ(check.verb, Verb::kCheckConfig);
  EXPECT_EQ(check.config, "f");
}

TEST(Options, SetTheLog) {
  const Options options = Parse({"--log-level", "debug", "--log-format=json"}).value();
  EXPECT_EQ(options.log_level, LogLevel::kDebug);
  EXPECT_EQ(options.log_format, v1::LOG_FORMAT_JSON);
}

TEST(Options, OfQdrouterdAreTakenAndIgnored) {
  const Options options =
      Parse({"-I", "/usr/lib/qpid-dispatch/python", "-T", "-c", "f", "--include=x", "--test-hooks"})
          .value();
  EXPECT_EQ(options.verb, Verb::kRun);
  EXPECT_EQ(options.config, "f");
  EXPECT_EQ(Error({"-I"}), "-I: no value");
}

TEST(Options, TellVersionAndHelpWhateverFollows) {
  for (const char* name : {"-v", "--version"}) {
    EXPECT_EQ(Parse({name, "--nonsense"}).value().verb, Verb::kVersion);
  }
  for (const char* name : {"-h", "--help"}) {
    EXPECT_EQ(Parse({"-c", "f", name, "x"}).value().verb, Verb::kHelp);
  }
}

TEST(Options, RefuseWhatTheyDoNotKnow) {
  EXPECT_EQ(Error({"--conf", "f"}), "unknown option \"--conf\"");
  EXPECT_EQ(Error({"-x"}), "unknown option \"-x\"");
  EXPECT_EQ(Error({"f.yaml"}), "stray argument \"f.yaml\"");
  EXPECT_EQ(Error({""}), "stray argument \"\"");
  EXPECT_EQ(Error({"--"}), "unknown option \"--\"");
  EXPECT_EQ(Error({"--config"}), "--config: no value");
  EXPECT_EQ(Error({"--config="}), "the name of the file is empty");
  EXPECT_EQ(Error({"--version=1"}), "--version: takes no value");
  EXPECT_EQ(Error({"-c", "a", "-c", "b"}), "more than one configuration");
  EXPECT_EQ(Error({"-c", "a", "--check-config", "a"}), "more than one configuration");
  EXPECT_EQ(Error({"--log-level", "loud"}),
            "--log-level: \"loud\" is not one of trace, debug, info, warning, error, off");
  EXPECT_EQ(Error({"--log-format", "xml"}), "--log-format: \"xml\" is not one of text, json");
}

TEST(Options, AreAllInTheUsage) {
  for (const char* name :
       {"-c,", "--config", "--check-config", "--log-level", "--log-format", "-I,", "--include",
        "-T,", "--test-hooks", "-v,", "--version", "-h,", "--help"}) {
    EXPECT_NE(kUsage.find(name), std::string_view::npos) << name;
  }
}

}  // namespace
}  // namespace trunkline::daemon
