#include "control/config/file_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace trunkline::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// The text of the errors in `yaml`, as file f.yaml; empty if it is fine.
std::string Errors(const std::string& yaml) {
  auto result = ParseDocument(yaml, "f.yaml");
  return std::string(result.status().message());
}

Document Parsed(const std::string& yaml) {
  auto result = ParseDocument(yaml, "/etc/t/f.yaml");
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? result->document : Document();
}

constexpr char kEverything[] = R"(
router:
  id: east
  workers: 16
  memory_budget_bytes: 1073741824
  default_distribution: closest
  max_connections: 1000
  drain_timeout: 1m
  core_dumps: true
  watch_config: false
log:
  format: json
  levels: {default: warning, net: debug}
  file: trunkd.log
metrics:
  enabled: true
  host: "::1"
  port: 9464
  serve_metrics: true
  serve_probes: false
  tls_profile: service
  tls_client_auth: request
  legacy: qdr
listeners:
  - name: amqps
    host: 0.0.0.0
    port: 5671
    socket_family: ipv4
    role: route_container
    tls_profile: service
    tls_client_auth: require
    sasl_mechanisms: [EXTERNAL]
    require_sasl: true
    user_store: clients
    allow_insecure_plain: true
    idle_timeout: 1m30s
    initial_handshake_timeout: 250ms
    max_frame_size: 65536
    max_sessions: 100
    max_links: 200
    link_capacity: 500
    strip_annotations: in
    max_connections: 10
    max_unopened_per_address: 5
    max_message_size: 1048576
    enabled: false
user_stores:
  - name: clients
    directory: users
    realm: myrouter
  - name: berkeley
    sasldb_file: /abs/sasldb2
  - name: built
    built_in: true
tls_profiles:
  - name: service
    certificate_file: tls.crt
    private_key_file: /abs/tls.key
    ca_file: ../ca.crt
    password_file: pw
    crl_file: crl.pem
    protocols_min: tls12
    protocols_max: tls13
    ciphers: ECDHE+AESGCM
    cipher_suites: TLS_AES_256_GCM_SHA384
    uid_format: on2
connectors:
  - name: broker
    host: broker.example
    port: 5671
    failover: ["b2.example:5673", "[::1]"]
    role: route_container
    tls_profile: service
    verify_hostname: false
    server_name: broker
    sasl_mechanisms: [EXTERNAL, ANONYMOUS]
    sasl_user: router
    sasl_password_file: broker.password
    allow_insecure_plain: true
    connect_timeout: 1s
    initial_handshake_timeout: 0s
    idle_timeout: 0s
    backoff: {failed: 50ms, closed: 60ms, failover: 70ms}
    max_frame_size: 512
    max_sessions: 1
    max_links: 1
    link_capacity: 1
    strip_annotations: none
    max_message_size: 5
    enabled: false
addresses:
  - name: news
    prefix: news
    distribution: multicast
    priority: 9
  - pattern: "a.*.b"
    ingress_phase: 1
    egress_phase: 2
  - prefix: queue
    waypoint: true
  - prefix: jobs
    enable_fallback: true
)";

TEST(FileSource, ReadsEveryField) {
  const Document document = Parsed(kEverything);
  EXPECT_EQ(document.router.id(), "east");
  EXPECT_EQ(document.router.drain_timeout().seconds(), 60);
  EXPECT_EQ(document.log.levels().at("net"), v1::LOG_LEVEL_DEBUG);
  EXPECT_EQ(document.metrics->tls_profile(), "tlsProfiles/service");
  const v1::Listener& listener = document.listeners.at("amqps");
  EXPECT_EQ(listener.name(), "listeners/amqps");
  EXPECT_EQ(listener.spec().tls_profile(), "tlsProfiles/service");
  EXPECT_EQ(listener.spec().initial_handshake_timeout().nanos(), 250'000'000);
  EXPECT_EQ(listener.spec().role(), v1::ROLE_ROUTE_CONTAINER);
  const v1::TlsProfileSpec& profile = document.tls_profiles.at("service").spec();
  EXPECT_EQ(profile.certificate_file(), "/etc/t/tls.crt");
  EXPECT_EQ(profile.private_key_file(), "/abs/tls.key");
  EXPECT_EQ(profile.ca_file(), "/etc/t/../ca.crt");
  EXPECT_EQ(listener.spec().user_store(), "userStores/clients");
  EXPECT_EQ(document.user_stores.at("clients").name(), "userStores/clients");
  EXPECT_EQ(document.user_stores.at("clients").spec().directory(), "/etc/t/users");
  EXPECT_EQ(document.user_stores.at("clients").spec().realm(), "myrouter");
  EXPECT_EQ(document.user_stores.at("berkeley").spec().sasldb_file(), "/abs/sasldb2");
  EXPECT_TRUE(document.user_stores.at("built").spec().built_in());
  EXPECT_EQ(document.connectors.at("broker").spec().sasl_password_file(), "/etc/t/broker.password");
  EXPECT_EQ(document.connectors.at("broker").spec().backoff().failover().nanos(), 70'000'000);
  EXPECT_TRUE(document.connectors.at("broker").spec().has_verify_hostname());
  EXPECT_EQ(document.addresses.at("news").spec().priority(), 9u);
  EXPECT_EQ(document.addresses.at("q-a-2e-2a-2eb").spec().pattern(), "a.*.b");
}

TEST(FileSource, TellsFilesFromTheRoot) {
  const auto parsed = ParseDocument("log: {file: router.log}\n", "here/f.yaml");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->document.log.file(), std::filesystem::current_path() / "here/router.log");
}

// A field that is added to a proto is added to the text above, and so is tried.
TEST(FileSource, ThatTextHasEveryFieldThereIs) {
  const Document document = Parsed(kEverything);
  std::vector<const google::protobuf::Message*> messages = {
      &document.router,
      &document.log,
      &*document.metrics,
      &document.listeners.at("amqps").spec(),
      &document.tls_profiles.at("service").spec(),
      &document.connectors.at("broker").spec(),
      &document.connectors.at("broker").spec().backoff()};
  for (const auto* message : messages) {
    std::vector<const google::protobuf::FieldDescriptor*> set;
    message->GetReflection()->ListFields(*message, &set);
    EXPECT_EQ(static_cast<int>(set.size()), message->GetDescriptor()->field_count())
        << message->GetTypeName();
  }
}

TEST(FileSource, RefusesAFileWithNothingInIt) {
  EXPECT_EQ(Errors(""), "f.yaml: holds nothing\n");
  EXPECT_EQ(Errors("# nothing\n---\n"), "f.yaml: holds nothing\n");
}

TEST(FileSource, TakesSectionsWithNothingInThem) {
  EXPECT_TRUE(Parsed("listeners:\nrouter:\n").listeners.empty());
  EXPECT_TRUE(Parsed("metrics:\n").metrics.has_value());
  EXPECT_FALSE(Parsed("router:\n").metrics.has_value());
  EXPECT_TRUE(Parsed("listeners: []\n").listeners.empty());
}

TEST(FileSource, ShortensLongNamesInWhatItSays) {
  const std::string name(5000, 'n');
  EXPECT_THAT(Errors("listeners: [{name: " + name + ", port: x}]"),
              StartsWith("f.yaml:1:13: listeners[0].name: 5000 bytes are more than 63\n"));
  EXPECT_LT(Errors("? " + name + "\n: 1").size(), 500u);
  EXPECT_LT(Errors("addresses: [{prefix: " + name + "}]").size(), 500u);
}

TEST(FileSource, ReadsNoListThatIsTooLong) {
  std::string list = "listeners: [{name: a, sasl_mechanisms: [";
  for (int i = 0; i < 16; ++i) list += "x,";
  EXPECT_THAT(Errors(list + "]}]"), HasSubstr("\"x\" is not one of"));
  EXPECT_EQ(Errors(list + "x]}]"),
            "f.yaml:1:40: listeners[a].sasl_mechanisms: 17 entries are more than 16\n");
}

struct Golden {
  const char* yaml;
  const char* errors;
};

class BadYaml : public ::testing::TestWithParam<Golden> {};

TEST_P(BadYaml, IsToldWithPlaceFieldAndReason) {
  EXPECT_EQ(Errors(GetParam().yaml), GetParam().errors) << GetParam().yaml;
}

INSTANTIATE_TEST_SUITE_P(
    Golden, BadYaml,
    ::testing::Values(
        Golden{"lisners: []", "f.yaml:1:1: lisners: unknown key; did you mean \"listeners\"?\n"},
        Golden{"xyzzy: 1",
               "f.yaml:1:1: xyzzy: unknown key; known are router, log, control, metrics, "
               "listeners, connectors, tls_profiles, user_stores, addresses\n"},
        Golden{"router: {<<: {id: a}}",
               "f.yaml:1:10: router.<<: merge keys are not supported; an alias stands for a whole "
               "value\n"},
        Golden{"[a, b]", "f.yaml:1:1: must be a map (key: value), not a list\n"},
        Golden{"just text", "f.yaml:1:1: must be a map (key: value), not a plain value\n"},
        Golden{"router:\n  id: a\n  id: b\n",
               "f.yaml:3:3: router.id: is set twice, first on line 2\n"},
        Golden{"router: {idd: a}", "f.yaml:1:10: router.idd: unknown key; did you mean \"id\"?\n"},
        Golden{"router: {id: }",
               "f.yaml:1:14: router.id: has no value; leave the key out for the default\n"},
        Golden{"router: {id: [a]}", "f.yaml:1:14: router.id: must be a plain value, not a list\n"},
        Golden{"router: [a]", "f.yaml:1:9: router: must be a map (key: value), not a list\n"},
        Golden{"listeners: {name: a}", "f.yaml:1:12: listeners: must be a list (- name: …)\n"},
        Golden{"listeners:\n  - amqp\n", "f.yaml:2:5: listeners[0]: must be a map (key: value)\n"},
        Golden{"listeners:\n  - port: 1\n", "f.yaml:2:5: listeners[0].name: is required\n"},
        Golden{"listeners:\n  - name: a\n  - name: a\n",
               "f.yaml:3:5: listeners[a].name: is used twice, first on line 2\n"},
        Golden{"listeners:\n  - name: A_b\n",
               "f.yaml:2:11: listeners[A_b].name: \"A_b\" is not 1 to 63 of a-z, 0-9, \".\" and "
               "\"-\", with a letter or digit at both ends\n"},
        Golden{"listeners:\n  - name: a\n    prot: 1\n",
               "f.yaml:3:5: listeners[a].prot: unknown key; did you mean \"port\"?\n"},
        Golden{"listeners:\n  - name: a\n    idleTimeout: 1s\n",
               "f.yaml:3:5: listeners[a].idleTimeout: unknown key; did you mean "
               "\"idle_timeout\"?\n"},
        Golden{"listeners:\n  - name: a\n    sslProfile: x\n",
               "f.yaml:3:5: listeners[a].sslProfile: unknown key; it is called \"tls_profile\" "
               "here\n"},
        Golden{"listeners:\n  - name: a\n    port: amqp\n",
               "f.yaml:3:11: listeners[a].port: \"amqp\" is not a whole number\n"},
        Golden{"listeners:\n  - name: a\n    port: 70000\n",
               "f.yaml:3:11: listeners[a].port: 70000 is not in 0..65535\n"},
        Golden{"listeners:\n  - name: a\n    port: -1\n",
               "f.yaml:3:11: listeners[a].port: -1 is not in 0..65535\n"},
        Golden{"listeners:\n  - name: a\n    port: 99999999999999999999\n",
               "f.yaml:3:11: listeners[a].port: 99999999999999999999 is not in 0..65535\n"},
        Golden{"listeners:\n  - name: a\n    require_sasl: yes\n",
               "f.yaml:3:19: listeners[a].require_sasl: \"yes\" is not true or false\n"},
        Golden{"listeners:\n  - name: a\n    idle_timeout: 16\n",
               "f.yaml:3:19: listeners[a].idle_timeout: \"16\" has no unit; write 30s, 1m30s or "
               "250ms\n"},
        Golden{"listeners:\n  - name: a\n    idle_timeout: soon\n",
               "f.yaml:3:19: listeners[a].idle_timeout: \"soon\" is not a duration such as 30s, "
               "1m30s or 250ms\n"},
        Golden{"listeners:\n  - name: a\n    idle_timeout: 25h\n",
               "f.yaml:3:19: listeners[a].idle_timeout: 25h is not in 0s..24h\n"},
        Golden{"listeners:\n  - name: a\n    role: normale\n",
               "f.yaml:3:11: listeners[a].role: \"normale\" is not one of normal, "
               "route_container; did you mean \"normal\"?\n"},
        Golden{"listeners:\n  - name: a\n    sasl_mechanisms: PLAIN\n",
               "f.yaml:3:22: listeners[a].sasl_mechanisms: must be a list, not a plain value\n"},
        Golden{"listeners:\n  - name: a\n    sasl_mechanisms: [ANONYMOUS, PLAIN]\n",
               "f.yaml:3:34: listeners[a].sasl_mechanisms[1]: PLAIN needs a user_store\n"},
        Golden{"listeners:\n  - name: a\n    tls_profile: b\n",
               "f.yaml:3:18: listeners[a].tls_profile: there is no TLS profile \"b\"\n"},
        Golden{"connectors:\n  - name: a\n", "f.yaml:2:5: connectors[a].host: is required\n"},
        Golden{"connectors:\n  - name: a\n    host: b\n    backoff: {failed: 1ms}\n",
               "f.yaml:4:23: connectors[a].backoff.failed: 1ms is not in 10ms..1h\n"},
        Golden{"connectors:\n  - name: a\n    host: b\n    failover: [c, 'd:0']\n",
               "f.yaml:4:19: connectors[a].failover[1]: \"d:0\" is not host, host:port or "
               "[ipv6]:port\n"},
        Golden{"log: {levels: {nett: debug}}",
               "f.yaml:1:22: log.levels.nett: is not one of default, log, amqp, tls, core, mesh, "
               "conn, net, router, config, control, daemon; did you mean \"net\"?\n"},
        Golden{"log: {levels: {net: loud}}",
               "f.yaml:1:21: log.levels.net: \"loud\" is not one of trace, debug, info, warning, "
               "error, off\n"},
        Golden{"router: {workers: 17}\n", "f.yaml:1:19: router.workers: 17 is not in 0..16\n"},
        Golden{"router: {workers: -1}\n", "f.yaml:1:19: router.workers: -1 is not in 0..16\n"},
        Golden{"router: {memory_budget_bytes: 1125899906842625}\n",
               "f.yaml:1:31: router.memory_budget_bytes: 1125899906842625 is not in "
               "0..1125899906842624\n"},
        Golden{"router: {memory_budget_bytes: 16777215}\n",
               "f.yaml:1:31: router.memory_budget_bytes: 16777215 is less than 16777216 for each "
               "of 1 workers; 0 lets the router choose\n"},
        Golden{"router: {workers: 3, memory_budget_bytes: 50331647}\n",
               "f.yaml:1:43: router.memory_budget_bytes: 50331647 is less than 16777216 for each "
               "of 3 workers; 0 lets the router choose\n"},
        Golden{"addresses:\n  - distribution: closest\n",
               "f.yaml:2:5: addresses[0]: exactly one of prefix and pattern must be set\n"},
        Golden{"a: !!str b\n", "f.yaml:1:4: tags have no meaning here\n"},
        Golden{"router: {id: a", "f.yaml:1:1: not YAML: a \"{\" without its \"}\"\n"}));

TEST(FileSource, TakesAWordForZeroWhereTheSchemaHasOne) {
  const v1::RouterSpec spec = Parsed("router: {workers: auto}").router;
  EXPECT_TRUE(spec.has_workers());
  EXPECT_EQ(spec.workers(), 0u);
  EXPECT_THAT(Errors("router: {max_connections: auto}"), HasSubstr("is not a whole number"));
}

TEST(FileSource, TakesTheSmallestBudgetThatIsEnough) {
  EXPECT_EQ(Parsed("router: {memory_budget_bytes: 16777216}").router.memory_budget_bytes(),
            16777216u);
  EXPECT_EQ(Errors("router: {workers: 3, memory_budget_bytes: 50331648}"), "");
  EXPECT_EQ(Errors("router: {workers: 3, memory_budget_bytes: 0}"), "");
}

TEST(FileSource, TellsSeveralProblemsInOrderOfPlace) {
  EXPECT_EQ(Errors("listeners:\n  - name: a\n    port: x\n    role: y\nrouter: {workers: z}\n"),
            "f.yaml:3:11: listeners[a].port: \"x\" is not a whole number\n"
            "f.yaml:4:11: listeners[a].role: \"y\" is not one of normal, route_container\n"
            "f.yaml:5:19: router.workers: \"z\" is not a whole number or \"auto\"\n");
}

TEST(FileSource, TellsAtMostTwentyProblemsAndCountsTheRest) {
  std::string yaml;
  for (int i = 0; i < 25; ++i) absl::StrAppend(&yaml, "key", i, ": 1\n");
  const std::string errors = Errors(yaml);
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 21);
  EXPECT_THAT(errors, HasSubstr("f.yaml:20:1: key19"));
  EXPECT_THAT(errors, Not(HasSubstr("key20")));
  EXPECT_THAT(errors, HasSubstr("f.yaml: and 5 more\n"));
}

TEST(FileSource, CutsLongValuesInErrors) {
  EXPECT_LT(Errors("router: {workers: " + std::string(100'000, 'x') + "}").size(), 200u);
}

TEST(FileSource, SurvivesTruncationAtEveryByte) {
  const std::string text = kEverything;
  for (size_t size = 0; size <= text.size(); ++size) {
    auto result = ParseDocument(std::string_view(text).substr(0, size), "f.yaml");
    if (result.ok()) continue;
    EXPECT_THAT(std::string(result.status().message()), StartsWith("f.yaml:"));
  }
}

class OnDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "trunklineXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  std::filesystem::path folder_;
};

TEST_F(OnDisk, FilesAreReadUpToTheBoundAndNotBeyond) {
  const std::string comment = "log: {}\n#" + std::string(kConfigBytesMax - 10, 'x') + "\n";
  EXPECT_TRUE(LoadDocument(Write("at", comment)).ok());
  EXPECT_THAT(LoadDocument(Write("above", comment + "\n")).status().ToString(),
              HasSubstr("above: larger than 1048576 bytes"));
}

TEST_F(OnDisk, WhatIsNoReadableFileIsToldByName) {
  const std::string missing = (folder_ / "missing").string();
  EXPECT_EQ(LoadDocument(missing).status().message(), missing + ": No such file or directory\n");
  EXPECT_THAT(LoadDocument(folder_.string()).status().ToString(), HasSubstr("not a file"));
  const std::string fifo = (folder_ / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(LoadDocument(fifo).status().ToString(), HasSubstr("not a file"));
}

TEST(FileSource, LabelsAndLegacyNamesStandBesideTheName) {
  const Document document =
      Parsed("listeners:\n- {name: amqp, legacy_name: 'A b', labels: {team: billing}, port: 1}\n");
  EXPECT_EQ(document.listeners.at("amqp").legacy_name(), "A b");
  EXPECT_EQ(document.listeners.at("amqp").labels().at("team"), "billing");
  EXPECT_EQ(Errors("listeners:\n- name: amqp\n  labels: {'a b': x}\n"),
            "f.yaml:3:11: listeners[amqp].labels: \"a b\" is not made of A-Z, a-z, 0-9 and "
            "\"._/-\"\n");
  EXPECT_THAT(Errors("listeners:\n- {name: amqp, labels: [a]}\n"), HasSubstr("must be a map"));
  EXPECT_THAT(Errors("listeners:\n- {name: amqp, uid: a}\n"), HasSubstr("unknown key"));
}

TEST(FileSource, OfAPartTheFormAloneIsChecked) {
  const std::string yaml = "listeners:\n- {name: amqp, tls_profile: elsewhere, port: 1}\n";
  EXPECT_THAT(Errors(yaml), HasSubstr("there is no TLS profile"));
  const auto part = ParsePart(yaml, "f.yaml");
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(part->listeners.at("amqp").spec().tls_profile(), "tlsProfiles/elsewhere");
  EXPECT_EQ(ParsePart("listeners:\n- {name: amqp, prot: 1}\n", "f.yaml").status().message(),
            "f.yaml:2:16: listeners[amqp].prot: unknown key; did you mean \"port\"?\n");
  const auto files = ParsePart("tls_profiles:\n- {name: a, ca_file: ca.crt}\n", "/etc/t/f.yaml");
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(files->tls_profiles.at("a").spec().ca_file(), "/etc/t/ca.crt");
}

}  // namespace
}  // namespace trunkline::config
