#include "control/config/yaml_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::config {
namespace {

using ::testing::HasSubstr;

// The problem that parsing `text` gives; an empty one if it is fine.
Problem ProblemOf(const std::string& text) {
  auto result = ParseYaml(text);
  const Problem* problem = std::get_if<Problem>(&result);
  return problem == nullptr ? Problem() : *problem;
}

std::string Deep(size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

TEST(YamlTree, KeepsOrderAndPlaces) {
  auto result = ParseYaml("a: 1\nb:\n  - x\n  - {c: 'd e'}\n");
  const YamlNode& root = std::get<YamlNode>(result);
  ASSERT_EQ(root.kind, YamlNode::Kind::kMap);
  ASSERT_EQ(root.items.size(), 4u);
  EXPECT_EQ(root.items[0].text, "a");
  EXPECT_EQ(root.items[1].text, "1");
  EXPECT_EQ(root.items[1].at, (Position{1, 4}));
  EXPECT_EQ(root.items[2].at, (Position{2, 1}));
  ASSERT_EQ(root.items[3].items.size(), 2u);
  EXPECT_EQ(root.items[3].items[1].items[1].text, "d e");
}

TEST(YamlTree, EmptyTextIsNull) {
  for (const char* text : {"", "\n", "# only a comment\n", "---\n"}) {
    auto result = ParseYaml(text);
    ASSERT_TRUE(std::holds_alternative<YamlNode>(result)) << text;
    EXPECT_EQ(std::get<YamlNode>(result).kind, YamlNode::Kind::kNull) << text;
  }
}

TEST(YamlTree, TellsWhereTheSyntaxBreaks) {
  const Problem problem = ProblemOf("router:\n  id: x\n bad: [1, 2\n");
  EXPECT_EQ(problem.at.line, 3);
  EXPECT_THAT(problem.text, HasSubstr("not YAML"));
}

TEST(YamlTree, SaysWhatIsWrongInWordsOfTheFile) {
  EXPECT_EQ(ProblemOf("a:\n\t- b\n"),
            (Problem{{2, 1}, "", "not YAML: indented with a tab; use spaces"}));
  EXPECT_EQ(ProblemOf("a:\n  - b: 1\n \tc: 2\n").text, "not YAML: indented with a tab; use spaces");
  EXPECT_EQ(ProblemOf("a: {b: 1\n").text, "not YAML: a \"{\" without its \"}\"");
  EXPECT_EQ(ProblemOf("a: [b\n").text, "not YAML: a \"[\" without its \"]\"");
  EXPECT_EQ(ProblemOf("a:\n  - b: 1\n   c: 2\n"),
            (Problem{{3, 4}, "", "not YAML: the indentation fits no line above"}));
  EXPECT_EQ(ProblemOf("a: - b\n").text, "not YAML: a \"-\" where no list can begin");
  EXPECT_EQ(ProblemOf("a: b: c\n").text,
            "not YAML: a \":\" where no key can be; text that holds one needs quotes");
}

TEST(YamlTree, RefusesWhatMayNotBeInAConfiguration) {
  EXPECT_EQ(ProblemOf("a: \xC3\x28").text, "not UTF-8");
  EXPECT_EQ(ProblemOf("a: \xED\xA0\x80").text, "not UTF-8");
  EXPECT_EQ(ProblemOf("a: \xF4\x90\x80\x80").text, "not UTF-8");
  EXPECT_EQ(ProblemOf("a: \xE0\x80\x80").text, "not UTF-8");
  EXPECT_EQ(ProblemOf("a: \xE2\x82").text, "not UTF-8");
  EXPECT_EQ(ProblemOf(std::string("a: \0", 4)).text, "holds a control character");
  EXPECT_EQ(ProblemOf("a: \"\\0\"").text, "text of several lines, or with a control character");
  EXPECT_EQ(ProblemOf("a: |\n  x\n  y\n").text,
            "text of several lines, or with a control character");
  EXPECT_EQ(ProblemOf("a: !!int 3").text, "tags have no meaning here");
  EXPECT_EQ(ProblemOf("a: 1\n---\nb: 2\n").text, "a second document; one file holds one");
  EXPECT_EQ(ProblemOf("? [a]\n: b\n").text, "a key must be plain text");
}

TEST(YamlTree, AcceptsTextOfManyScripts) {
  auto result = ParseYaml("a: grün €\nb: \xF0\x9F\x90\xA7\n");
  EXPECT_EQ(std::get<YamlNode>(result).items[1].text, "grün €");
}

TEST(YamlTree, NestsAsDeepAsTheBoundAndNoDeeper) {
  EXPECT_EQ(ProblemOf(Deep(kYamlDepthMax)).text, "");
  EXPECT_EQ(ProblemOf(Deep(kYamlDepthMax + 1)).text, "nested deeper than 32");
  EXPECT_EQ(ProblemOf(Deep(100'000)).text, "nested deeper than 32");
}

TEST(YamlTree, ExpandsAliases) {
  auto result = ParseYaml("a: &x {b: 1}\nc: *x\n");
  const YamlNode& root = std::get<YamlNode>(result);
  EXPECT_EQ(root.items[3].items[1].text, "1");
}

TEST(YamlTree, RefusesAliasesThatGrowWithoutBound) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += last + ", ";
    bomb += "]\n";
  }
  EXPECT_EQ(ProblemOf(bomb).text, "more than 200000 values, aliases included");
}

TEST(YamlTree, RefusesAliasesWhoseTextGrowsWithoutBound) {
  const std::string text(kYamlBytesMax / 4, 'x');  // counts for the value and for the anchor
  EXPECT_EQ(ProblemOf("a: &a " + text + "\nb: [*a]\n").text, "");
  EXPECT_EQ(ProblemOf("a: &a " + text + "\nb: [*a, *a, *a]\n").text,
            "more than 4194304 bytes, aliases included");
}

TEST(YamlTree, RefusesAliasesThatNestWithoutBound) {
  std::string chain = "a0: &a0 [x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string n = std::to_string(i);
    chain += "a" + n + ": &a" + n + " [*a" + std::to_string(i - 1) + "]\n";
  }
  EXPECT_EQ(ProblemOf(chain).text, "nested deeper than 32");
}

TEST(YamlTree, RefusesAnAliasInsideOfItsAnchor) { EXPECT_NE(ProblemOf("a: &x [*x]\n").text, ""); }

TEST(YamlTree, CountsUpToTheBound) {
  std::string list = "[";
  for (size_t i = 0; i + 2 < kYamlNodesMax; ++i) list += "x,";
  EXPECT_EQ(ProblemOf(list + "x]").text, "");
  EXPECT_EQ(ProblemOf(list + "x,x]").text, "more than 200000 values, aliases included");
}

TEST(YamlTree, SurvivesTruncationAtEveryByte) {
  const std::string text =
      "router: &r {id: \"x\\u00e9\", w: 1}\nlisteners:\n  - name: 'a'\n    <<: *r\n  - [1, ~]\n";
  for (size_t size = 0; size <= text.size(); ++size) ParseYaml(text.substr(0, size));
}

TEST(YamlTree, SurvivesEveryByteAtEveryPlace) {
  const std::string text = "a: &x [1, {b: 'c'}]\nd: *x\n";
  for (size_t place = 0; place < text.size(); ++place) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string bad = text;
      bad[place] = static_cast<char>(byte);
      ParseYaml(bad);
    }
  }
}

}  // namespace
}  // namespace trunkline::config
