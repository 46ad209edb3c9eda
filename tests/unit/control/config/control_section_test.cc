#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/file_source.h"

namespace trunkline::config {
namespace {

using testing::HasSubstr;

constexpr char kProfile[] =
    "\ntls_profiles: [{name: p, certificate_file: c, private_key_file: k, ca_file: a}]\n";

std::string Error(const std::string& text) {
  return std::string(ParseDocument(text, "f").status().message());
}

TEST(ControlSection, SaysWhereTheApiIs) {
  const auto document = ParseDocument(
      "control:\n  socket: /run/x\n  socket_group: ops\n  state_directory: state\n"
      "  reflection: false\n  tcp: {host: h, port: 1, tls_profile: p, policy_file: access.yaml}" +
          std::string(kProfile),
      "/etc/t/f");
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(document->document.control.ShortDebugString(),
            "socket: \"/run/x\" socket_group: \"ops\" state_directory: \"/etc/t/state\" "
            "tcp { host: \"h\" port: 1 tls_profile: \"tlsProfiles/p\" "
            "policy_file: \"/etc/t/access.yaml\" } reflection: false");
}

TEST(ControlSection, NeedsNothing) {
  EXPECT_EQ(Error("control: {}"), "");
  EXPECT_EQ(Error("control: {socket: none}"), "");
}

TEST(ControlSection, NamesWhatIsWrong) {
  const std::pair<std::string, const char*> cases[] = {
      {"{socket: here}", "control.socket: \"here\" is neither"},
      {"{socket: /" + std::string(98, 'x') + "}", "control.socket: 99 bytes are more than 98"},
      {"{socket: none, socket_group: g}", "control.socket_group: needs a socket"},
      {"{sockt: x}", "control.sockt: unknown key; did you mean \"socket\"?"},
      {"{tcp: {}}", "control.tcp.tls_profile: is required"},
      {"{tcp: {tls_profile: q}}", "control.tcp.tls_profile: there is no TLS profile \"q\""},
      {"{tcp: {tls_profile: p, port: 65536}}", "control.tcp.port: 65536 is not in 0..65535"},
      {"{tcp: {tls_profile: p, host: \"a b\"}}", "control.tcp.host: \"a b\" is no name"}};
  for (const auto& [section, error] : cases) {
    EXPECT_THAT(Error("control: " + section + kProfile), HasSubstr(error)) << section;
  }
  EXPECT_EQ(Error("control: {socket: /" + std::string(97, 'x') + "}"), "");
}

TEST(ControlSection, ProfilesMustBeOnesThatCanBeHonoured) {
  const std::pair<const char*, const char*> cases[] = {
      {"ca_file: a", "has no certificate_file"},
      {"certificate_file: c, private_key_file: k", "has no ca_file"},
      {"certificate_file: c, private_key_file: k, ca_file: a, crl_file: r", "has crl_file, which"},
      {"certificate_file: c, private_key_file: k, ca_file: a, ciphers: x", "has ciphers, which"},
      {"certificate_file: c, private_key_file: k, ca_file: a, cipher_suites: x",
       "has cipher_suites, which"},
      {"certificate_file: c, private_key_file: k, ca_file: a, protocols_min: tls13",
       "has protocols_min, which"},
      {"certificate_file: c, private_key_file: k, ca_file: a, protocols_max: tls12",
       "has protocols_max, which"}};
  for (const auto& [profile, error] : cases) {
    EXPECT_THAT(Error(std::string("control: {tcp: {tls_profile: p}}\ntls_profiles: [{name: p, ") +
                      profile + "}]"),
                HasSubstr(error));
  }
}

TEST(FindProblems, AreThoseOfParseDocument) {
  const auto problems = FindProblems("a: 1\nlisteners: x\n");
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].path, "a");
  EXPECT_EQ(problems[1].at, (Position{2, 12}));
  EXPECT_TRUE(FindProblems("listeners: []").empty());
  EXPECT_EQ(FindProblems("").size(), 1u);
  EXPECT_EQ(FindProblems("[").size(), 1u);
}

}  // namespace
}  // namespace trunkline::config
