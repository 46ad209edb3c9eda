#include "control/legacy/sections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace trunkline::legacy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// "listener(host=0.0.0.0 port=amqp)" for each section.
std::string Read(std::string_view text) {
  Report report;
  std::string read;
  for (const Section& section : ReadSections(text, report)) {
    absl::StrAppend(&read, section.name, "(");
    for (const Attribute& attribute : section.attributes) {
      absl::StrAppend(&read, &attribute == section.attributes.data() ? "" : " ", attribute.name,
                      attribute.is_text ? "=" : ":map", attribute.value);
    }
    absl::StrAppend(&read, ")");
  }
  EXPECT_THAT(report.problems, IsEmpty()) << report.problems[0].text;
  return read;
}

// "2:3 router: what is wrong", the first of them.
std::string Problem(std::string_view text) {
  Report report;
  ReadSections(text, report);
  if (report.problems.empty()) return "";
  const config::Problem& first = report.problems[0];
  return absl::StrCat(first.at.line, ":", first.at.column, " ", first.path, ": ", first.text);
}

TEST(Sections, ReadsSectionsAndTheirAttributes) {
  EXPECT_EQ(Read("router {\n  mode: standalone\n  id: A\n}\n\nlistener {\n  port: amqp\n}\n"),
            "router(mode=standalone id=A)listener(port=amqp)");
  EXPECT_EQ(Read("router{\nid:A\n}"), "router(id=A)");
  EXPECT_EQ(Read("\t router\t{ \r\n\t id \t: \t A B \t\r\n } \r\n"), "router(id=A B)");
  EXPECT_EQ(Read("\xEF\xBB\xBFrouter {\n}\n"), "router()");
}

TEST(Sections, KeepsColonsInValues) {
  EXPECT_EQ(Read("listener {\nhost: ::1\n}"), "listener(host=::1)");
  EXPECT_EQ(Read("sslProfile {\npassword: file:/a b\n}"), "sslProfile(password=file:/a b)");
}

TEST(Sections, LeavesCommentsOut) {
  EXPECT_EQ(Read("# a\n  # {\nrouter { # b\n  id: A # c\n#id: B\n} # d\n"), "router(id=A)");
  EXPECT_EQ(Read("router {\nid: A#B\n}"), "router(id=A)");
}

TEST(Sections, TakesHashAsDataWhereDispatchDoes) {
  EXPECT_EQ(Read("address {\npattern: a/#\n}"), "address(pattern=a/#)");
  EXPECT_EQ(Read("address {\npattern: #\n}"), "address(pattern=#)");
  EXPECT_EQ(Read("address {\npattern: a.# # all of a\n}"), "address(pattern=a.#)");
  EXPECT_EQ(Read("binding {\nbindingKey: a.#.b\n}"), "binding(bindingKey=a.#.b)");
  EXPECT_EQ(Read("vhost {\nhostname: #.org x\n}"), "vhost(hostname=#.org)");
  EXPECT_EQ(Read("address {\nprefix: a#b\n}"), "address(prefix=a)");
}

TEST(Sections, MakesNamesCamelCase) {
  EXPECT_EQ(Read("ssl-profile {\ncert-file: a\nca-Cert_file: b\n}"),
            "sslProfile(certFile=a caCertFile=b)");
}

TEST(Sections, PassesOverMaps) {
  EXPECT_EQ(Read("vhost {\n"
                 "  groups: {\n"
                 "    # } a comment\n"
                 "    \"g\": {\n"
                 "      \"users\": \"a}b\\\"}\",\n"
                 "    },\n"
                 "    \"h\": {\"users\": \"c\"}\n"
                 "  }\n"
                 "  aliases: x\n"
                 "}\n"
                 "router {\n}\n"),
            "vhost(groups:map aliases=x)router()");
  EXPECT_EQ(Read("listener {\nopenProperties: {}\nport: 1\n}"),
            "listener(openProperties:map port=1)");
}

TEST(Sections, LetsTheLastOfTwoCountAndSaysSo) {
  Report report;
  const auto sections = ReadSections("router {\nid: A\nsasl-config-dir: /x\nid: B\n}", report);
  ASSERT_THAT(sections, SizeIs(1));
  EXPECT_EQ(sections[0].Find("id")->value, "B");
  EXPECT_EQ(sections[0].Find("saslConfigDir")->value, "/x");
  EXPECT_EQ(sections[0].Find("x"), nullptr);
  ASSERT_THAT(report.warnings, SizeIs(1));
  EXPECT_EQ(report.warnings[0].at, (config::Position{4, 1}));
  EXPECT_EQ(report.warnings[0].text, "is set twice, first on line 2; this one counts");
}

TEST(Sections, TakesBackslashesThatAreWrittenTwice) {
  EXPECT_EQ(Read(R"(router {
id: a\\b\"c\/d
})"),
            "router(id=a\\b\"c/d)");
  EXPECT_THAT(Problem("router {\nid: a\\b\n}"), HasSubstr("2:5 router.id: holds a quote or"));
  EXPECT_THAT(Problem("router {\nid: a\\\n}"), HasSubstr("2:5 router.id: holds a quote or"));
}

TEST(Sections, KnowsThePlaceOfEachPart) {
  Report report;
  const auto sections = ReadSections("\n  router {\n\tid :  A\n}", report);
  ASSERT_THAT(sections, SizeIs(1));
  EXPECT_EQ(sections[0].at, (config::Position{2, 3}));
  EXPECT_EQ(sections[0].attributes[0].at, (config::Position{3, 2}));
  EXPECT_EQ(sections[0].attributes[0].value_at, (config::Position{3, 8}));
}

TEST(Sections, TellsWhereTheGrammarIsLeft) {
  EXPECT_EQ(Problem("router {\n  id A\n}"),
            "2:3 router: is not \"section {\", \"attribute: value\" or \"}\"");
  EXPECT_EQ(Problem("router { mode: standalone }\n"),
            "1:1 : a section has its { at the end of a line, and each attribute a line of its own");
  EXPECT_EQ(Problem("router {\n  \"id\": \"A\",\n}"),
            "2:3 router: names and values are written without quotes");
  EXPECT_EQ(Problem("router {\n  id: \"A\"\n}"),
            "2:7 router.id: holds a quote or a backslash, which have no place in a value");
  EXPECT_EQ(Problem("router {\n  id:\n}"),
            "2:3 router.id: has no value; leave the attribute out for the default");
  EXPECT_EQ(Problem("id: A\n"), "1:1 : an attribute stands in a section, behind \"section {\"");
  EXPECT_EQ(Problem("router {\n}\n}\n"), "3:1 : ends a section, but none is open");
  EXPECT_EQ(Problem("router {\n}}\n"),
            "2:1 router: is not \"section {\", \"attribute: value\" or \"}\"");
  EXPECT_EQ(Problem("router {\nid: A\n"), "1:1 router: has no \"}\" at its end");
  EXPECT_EQ(Problem("router {\nlistener {\n}\n"),
            "2:1 router: a section begins, but the one of line 1 has not ended with a \"}\"");
  EXPECT_EQ(Problem("vhost {\n groups: {\n }\n"), "1:1 vhost: has no \"}\" at its end");
}

TEST(Sections, NeverShowsWhatTheTextHolds) {
  Report report;
  ReadSections("sslProfile {\npassword: \"geheim\"\npassword geheim\n\"geheim\"\n{geheim}\n",
               report);
  EXPECT_THAT(report.problems, SizeIs(5));
  for (const config::Problem& problem : report.problems) {
    EXPECT_EQ(problem.text.find("geheim"), std::string::npos) << problem.text;
    EXPECT_EQ(problem.path.find("geheim"), std::string::npos) << problem.path;
  }
}

TEST(Sections, RefusesWhatIsNoText) {
  EXPECT_EQ(Problem("router {\n id: \xFF\n}"), "2:6 : not UTF-8");
  EXPECT_EQ(Problem(std::string_view("router {\n\0}", 11)), "2:1 : holds a control character");
}

TEST(Sections, StopsInATextFullOfMistakes) {
  Report report;
  std::string text = "router {\n";
  for (int i = 0; i < 10'000; ++i) text += "no\n";
  ReadSections(text, report);
  EXPECT_THAT(report.problems, SizeIs(200));
}

TEST(Sections, BoundsTheAttributesOfASection) {
  for (const int count : {200, 201}) {
    std::string text = "router {\n";
    for (int i = 0; i < count; ++i) absl::StrAppend(&text, "a", i, ": 1\n");
    const std::string problem = Problem(text + "}\n");
    EXPECT_EQ(problem, count == 200 ? "" : "202:1 router: has more than 200 attributes");
  }
}

TEST(Sections, SurvivesATextThatIsCutAnywhere) {
  const std::string text =
      "# c\nrouter {\n id: A\n}\nvhost {\n groups: {\n \"g\": {\"a\": 1}\n }\n}\naddress {\n"
      " pattern: a/#\n}\n";
  for (size_t n = 0; n <= text.size(); ++n) {
    Report report;
    ReadSections(text.substr(0, n), report);
    EXPECT_LE(report.problems.size(), n == text.size() ? 0u : 2u) << n;
  }
}

TEST(Sections, ReadsTheJsonForm) {
  EXPECT_EQ(Read("[\n  [\"router\", {\"id\": \"A\", \"workerThreads\": 4}],\n"
                 "# a comment\n"
                 "\t[\"ssl-profile\", {\n\t\t\"cert-file\": \"a #b\", \"ciphers\": null\n\t}],\n"
                 "  [\"listener\", {\"http\": false, \"openProperties\": {\"a\": 1}}]\n]\n"),
            "router(id=A workerThreads=4)sslProfile(certFile=a #b)"
            "listener(http=false openProperties:map)");
  EXPECT_EQ(Read("[]"), "");
}

TEST(Sections, TellsWhereTheJsonFormIsLeft) {
  const std::string shape = ": is not [\"section\", {\"attribute\": value, …}]";
  EXPECT_EQ(Problem("[\n[\"router\"]]"), absl::StrCat("2:1 ", shape));
  EXPECT_EQ(Problem("[\"router\", {}]"), absl::StrCat("1:2 ", shape));
  EXPECT_EQ(Problem("[[{}, {}]]"), absl::StrCat("1:2 ", shape));
  EXPECT_THAT(Problem("[[\"router\", {\"id\": \"A\"}"), HasSubstr("1:"));
}

TEST(Sections, TellsTheFormatsApartByTheirFirstLine) {
  for (const std::string_view legacy :
       {"router {\n}", "# c\n\n  router{", "ssl-profile {", "router { mode: x }", "[", " [[\"a\"",
        "\xEF\xBB\xBFrouter {", "# only\nlistener\t{\n"}) {
    EXPECT_TRUE(IsLegacyText(legacy)) << legacy;
  }
  for (const std::string_view yaml :
       {"", "# c\n", "router:\n  id: a", "router: {id: a}", "{router: {id: a}}",
        "---\nrouter:", "%YAML 1.2", "- a", "router", "}", "\"router\": {}"}) {
    EXPECT_FALSE(IsLegacyText(yaml)) << yaml;
  }
}

}  // namespace
}  // namespace trunkline::legacy
