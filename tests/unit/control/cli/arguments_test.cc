#include "control/cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "control/cli/commands.h"
#include "control/cli/help.h"

namespace trunkline::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<Arguments> Parse(const std::vector<const char*>& words) {
  return Arguments::Parse(words);
}

std::string Problem(const std::vector<const char*>& words) {
  return std::string(Parse(words).status().message());
}

TEST(Arguments, OptionsStandAnywhere) {
  const auto parsed =
      Parse({"get", "-o", "json", "listeners", "--filter=a = b", "-l", "x=1", "-ly=2", "-w"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->words(), ElementsAre("get", "listeners"));
  EXPECT_EQ(parsed->Get("output"), "json");
  EXPECT_EQ(parsed->Get("filter"), "a = b");
  EXPECT_THAT(parsed->GetAll("label"), ElementsAre("x=1", "y=2"));
  EXPECT_TRUE(parsed->Has("watch"));
  EXPECT_FALSE(parsed->Has("prune"));
}

TEST(Arguments, BehindTwoDashesAllAreWords) {
  const auto parsed = Parse({"get", "--", "-o", "--x", "-"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->words(), ElementsAre("get", "-o", "--x", "-"));
}

TEST(Arguments, OfOneThatIsThereTwiceTheLastCounts) {
  EXPECT_EQ(Parse({"-o", "json", "-o", "yaml"})->Get("output"), "yaml");
}

TEST(Arguments, ALetterIsThatOfTheCommand) {
  const auto logs = Parse({"logs", "-f", "--level", "info"});
  ASSERT_TRUE(logs.ok()) << logs.status();
  EXPECT_TRUE(logs->Has("follow"));
  EXPECT_FALSE(logs->Has("file"));
  EXPECT_EQ(Parse({"apply", "-f", "x"})->Get("file"), "x");
  EXPECT_EQ(Parse({"-f", "x", "apply"})->Get("file"), "x");
}

TEST(Arguments, MistakesAreNamed) {
  EXPECT_THAT(Problem({"--outptu", "x"}), HasSubstr("did you mean \"--output\"?"));
  EXPECT_EQ(Problem({"--output"}), "--output: no value");
  EXPECT_EQ(Problem({"-o"}), "--output: no value");
  EXPECT_EQ(Problem({"--watch=yes"}), "--watch: takes no value");
  EXPECT_EQ(Problem({"-wx"}), "--watch: takes no value");
  EXPECT_THAT(Problem({"-ö"}), HasSubstr("unknown option"));
}

TEST(Arguments, ACommandTakesItsOwnAndThoseOfAll) {
  const auto parsed = Parse({"--prune", "--timeout", "1s"});
  EXPECT_TRUE(parsed->Expect("apply", "file prune").ok());
  EXPECT_EQ(parsed->Expect("get", "output pru").message(), "--prune: is no option of trunkctl get");
}

TEST(Commands, TheTableIsConsistent) {
  std::set<std::string_view> names;
  for (const Command& command : Commands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    EXPECT_FALSE(command.summary.empty()) << command.name;
    EXPECT_TRUE(command.details.empty() || command.details.ends_with('\n')) << command.name;
    std::string_view rest = command.options;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(' '), rest.size());
      const Option* const option = FindOption(rest.substr(0, end));
      ASSERT_NE(option, nullptr) << command.name << ": " << rest;
      EXPECT_FALSE(option->everywhere) << command.name << ": " << rest;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
}

TEST(Commands, TheLongestNameIsMeant) {
  EXPECT_EQ(FindCommand({"explain", "address", "x"})->name, "explain address");
  EXPECT_EQ(FindCommand({"explain", "addresses"})->name, "explain");
  EXPECT_EQ(FindCommand({"config"}), nullptr);
  EXPECT_EQ(FindCommand({}), nullptr);
  EXPECT_THAT(CommandsUnder("config"), ElementsAre("config show", "config check", "config diff"));
}

TEST(Commands, HelpFitsATerminal) {
  std::vector<std::string> texts = {Help()};
  for (const Command& command : Commands()) texts.push_back(HelpOf(command));
  for (const std::string& text : texts) {
    size_t column = 0;
    for (const char c : text) {
      column = c == '\n' ? 0 : column + 1;
      ASSERT_LE(column, 100U) << text;
    }
  }
}

}  // namespace
}  // namespace trunkline::cli
