#include "control/legacy/qdrouterd_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "control/legacy/attributes.h"
#include "parsing.h"
#include "same_document.h"

namespace trunkline::legacy {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

void ExpectSame(const std::string& legacy, const std::string& yaml) {
  SCOPED_TRACE(legacy);
  const auto from_legacy = Parse(legacy);
  const auto from_yaml = config::ParseDocument(yaml, "/f.yaml");
  ASSERT_TRUE(from_legacy.ok()) << from_legacy.status();
  ASSERT_TRUE(from_yaml.ok()) << from_yaml.status();
  EXPECT_EQ(Difference(from_legacy->document, from_yaml->document), "");
}

constexpr char kProfileYaml[] =
    "tls_profiles: [{name: tls, certificate_file: /c, private_key_file: /k}]\n";

struct Pair {
  std::string line;
  std::string yaml;
};

TEST(QdrouterdConf, ReadsEveryAttributeOfARouter) {
  for (const Pair& pair :
       std::vector<Pair>{{"id: A", "id: A"},
                         {"mode: standalone", ""},
                         {"name: whatever", ""},
                         {"workerThreads: 4", "workers: 4"},
                         {"workerThreads: 0", "workers: 0"},
                         {"workerThreads: 64", "workers: 16"},
                         {"defaultDistribution: multicast", "default_distribution: multicast"},
                         {"defaultDistribution: unavailable", "default_distribution: unavailable"},
                         {"saslConfigDir: /etc/nowhere", ""},
                         {"saslConfigName: other", ""}}) {
    ExpectSame(With("router", pair.line), absl::StrCat(kProfileYaml, "router: {", pair.yaml, "}"));
  }
}

// As templates of AMQ Interconnect write it.
constexpr char kHealthAndStats[] =
    "listener {\n    name: health-and-stats\n    port: 8888\n    http: true\n    healthz: true\n"
    "    metrics: true\n    websockets: false\n    httpRootDir: invalid\n}\n";

TEST(QdrouterdConf, ReadsAListenerOfMetricsAndProbes) {
  EXPECT_EQ(Warnings(kHealthAndStats), "");
  ExpectSame(kHealthAndStats,
             "metrics: {host: '::', port: 8888, serve_metrics: true, serve_probes: true, "
             "legacy: qdr}");
  const std::string place = "host: '::', port: 5672";
  for (const Pair& pair : std::vector<Pair>{
           {"", place},
           {"healthz: no\nmetrics: no", place + ", serve_metrics: false, serve_probes: false"},
           {"metrics: off", place + ", serve_metrics: false"},
           {"host: [::1]\nport: amqps", "host: '::1', port: 5671"},
           {"host: 0.0.0.0\nport: 0", "host: 0.0.0.0, port: 0"},
           {"protocolFamily: IPv4", "host: 0.0.0.0, port: 5672"},
           {"socketAddressFamily: IPv6", place},
           {"httpRoot: invalid\nrole: normal\nauthenticatePeer: no\nrequireSsl: no\ncost: 1",
            place},
           {"sslProfile: tls\nrequireSsl: yes", place + ", tls_profile: tls"}}) {
    ExpectSame(With("listener", "http: yes\nwebsockets: no\n" + pair.line),
               absl::StrCat(kProfileYaml, "metrics: {legacy: qdr, ", pair.yaml, "}"));
  }
  ExpectSame(
      "sslProfile {\nname: tls\ncertFile: /c\nprivateKeyFile: /k\ncaCertFile: /a\n}\n"
      "listener {\nhttp: yes\nwebsockets: no\nsslProfile: tls\nauthenticatePeer: yes\n}\n",
      "tls_profiles: [{name: tls, certificate_file: /c, private_key_file: /k, ca_file: /a}]\n"
      "metrics: {host: '::', port: 5672, tls_profile: tls, tls_client_auth: require, "
      "legacy: qdr}");
}

TEST(QdrouterdConf, SaysWhatIsWrongWithAListenerOfMetrics) {
  const std::string http = "listener {\nhttp: yes\nwebsockets: no\n";
  for (const Pair& pair : std::vector<Pair>{
           {"port: x", "4:7: listener.port: \"x\" is not a whole number"},
           {"port: 65536", "4:7: listener.port: 65536 is not in 0..65535"},
           {"host: a b", "4:7: listener.host: \"a b\" is no name or address"},
           {"healthz: maybe", "4:10: listener.healthz: \"maybe\" is not yes or no"},
           {"httpRootDir: /usr/share/console", "4:14: listener.httpRootDir: files are not served"},
           {"requireSsl: yes", "4:13: listener.requireSsl: needs an sslProfile"},
           {"requireEncryption: yes", "4:20: listener.requireEncryption: needs an sslProfile"},
           {"authenticatePeer: yes", "4:19: listener.authenticatePeer: needs an sslProfile, as"},
           {"authenticatePeer: 2", "4:19: listener.authenticatePeer: \"2\" is not yes or no"},
           {"sslProfile: tls", "4:13: listener.sslProfile: there is no sslProfile \"tls\""},
           {"socketAddressFamily: IPv5", "4:22: listener.socketAddressFamily: \"IPv5\" is not one"},
           {"role: edge", "4:7: listener.role: edge: edge routers"},
           {"idleTimeoutSeconds: x", "4:21: listener.idleTimeoutSeconds: \"x\" is not a whole"},
           {"multiTenant: yes", "4:1: listener.multiTenant: address spaces"},
           {"saslPlugin: x", "4:1: listener.saslPlugin: remote authentication"},
           {"helthz: yes", "4:1: listener.helthz: unknown attribute; did you mean \"healthz\"?"},
           {"websockets: maybe", "2:1: listener.http: WebSocket listeners are not there: with"}}) {
    EXPECT_THAT(Errors(absl::StrCat(http, pair.line, "\n}\n")), HasSubstr("q.conf:" + pair.yaml));
  }
  EXPECT_THAT(Errors("sslProfile {\nname: tls\ncertFile: /c\nprivateKeyFile: /k\n}\n" + http +
                     "sslProfile: tls\nauthenticatePeer: yes\n}\n"),
              HasSubstr("q.conf:10:19: listener.authenticatePeer: the TLS profile has no ca_file"));
  EXPECT_THAT(Errors(absl::StrCat(kHealthAndStats, http, "}\n")),
              HasSubstr("q.conf:11:1: listener.http: metrics and probes are served at one place, "
                        "here by the listener on line 1"));
  EXPECT_THAT(Errors(absl::StrCat(http, "}\nlistener {\n}\n")),
              HasSubstr("listener.port: 5672 of this host is used by listener"));
  EXPECT_THAT(Warnings(http + "idleTimeoutSeconds: 60\nsaslMechanisms: PLAIN\nhost: ::\n"
                              "protocolFamily: IPv4\n}\n"),
              AllOf(HasSubstr("4:21 listener.idleTimeoutSeconds: has no effect: no AMQP"),
                    HasSubstr("5:17 listener.saslMechanisms: has no effect: no AMQP"),
                    HasSubstr("7:17 listener.socketAddressFamily: has no effect beside a host")));
}

TEST(QdrouterdConf, ReadsEveryAttributeOfAListener) {
  for (const Pair& pair :
       std::vector<Pair>{{"host: 0.0.0.0", "host: 0.0.0.0"},
                         {"host: [::1]", "host: '::1'"},
                         {"host: ::", "host: '::'"},
                         {"port: 5673", "port: 5673"},
                         {"port: 0", "port: 0"},
                         {"port: amqp", "port: 5672"},
                         {"port: amqps", "port: 5671"},
                         {"socketAddressFamily: IPv4", "socket_family: ipv4"},
                         {"socketAddressFamily: IPv6", "socket_family: ipv6"},
                         {"role: normal", "role: normal"},
                         {"role: route-container", "role: route_container"},
                         {"saslMechanisms: ANONYMOUS", "sasl_mechanisms: [ANONYMOUS]"},
                         {"authenticatePeer: no", "require_sasl: false"},
                         {"sslProfile: tls\nrequireSsl: yes", "tls_profile: tls"},
                         {"sslProfile: tls\nrequireEncryption: yes", "tls_profile: tls"},
                         {"requireSsl: no\nrequireEncryption: FALSE", ""},
                         {"idleTimeoutSeconds: 60", "idle_timeout: 1m"},
                         {"idleTimeoutSeconds: 0", "idle_timeout: 0s"},
                         {"maxFrameSize: 65536", "max_frame_size: 65536"},
                         {"maxFrameSize: 100", "max_frame_size: 512"},
                         {"maxFrameSize: 2147483647", "max_frame_size: 1048576"},
                         {"maxSessions: 10", "max_sessions: 10"},
                         {"maxSessions: 0", ""},
                         {"maxSessions: 40000", "max_sessions: 32768"},
                         {"linkCapacity: 1000", "link_capacity: 1000"},
                         {"linkCapacity: 0", ""},
                         {"stripAnnotations: no", "strip_annotations: none"},
                         {"stripAnnotations: in", "strip_annotations: in"},
                         {"stripAnnotations: out", "strip_annotations: out"},
                         {"stripAnnotations: both", "strip_annotations: both"}}) {
    ExpectSame(With("listener", pair.line),
               absl::StrCat(kProfileYaml, "listeners: [{name: a, initial_handshake_timeout: 0s, ",
                            pair.yaml, "}]"));
  }
  ExpectSame(With("listener", "initialHandshakeTimeoutSeconds: 5"),
             absl::StrCat(kProfileYaml, "listeners: [{name: a, initial_handshake_timeout: 5s}]"));
}

TEST(QdrouterdConf, ReadsEveryAttributeOfAConnector) {
  for (const Pair& pair : std::vector<Pair>{
           {"", "host: 127.0.0.1"},
           {"host: broker.example", "host: broker.example"},
           {"host: [::1]", "host: '::1'"},
           {"port: 61616", "host: 127.0.0.1, port: 61616"},
           {"role: route-container", "host: 127.0.0.1, role: route_container"},
           {"sslProfile: tls", "host: 127.0.0.1, tls_profile: tls"},
           {"sslProfile: tls\nverifyHostname: no",
            "host: 127.0.0.1, tls_profile: tls, verify_hostname: false"},
           {"verifyHostname: no", "host: 127.0.0.1"},
           {"saslMechanisms: anonymous", "host: 127.0.0.1, sasl_mechanisms: [ANONYMOUS]"},
           {"sslProfile: tls\nsaslMechanisms: EXTERNAL ANONYMOUS",
            "host: 127.0.0.1, tls_profile: tls, sasl_mechanisms: [EXTERNAL, ANONYMOUS]"},
           {"saslUsername: u\nsaslPassword: file:/p",
            "host: 127.0.0.1, sasl_user: u, sasl_password_file: /p, allow_insecure_plain: true"},
           {"sslProfile: tls\nsaslUsername: u\nsaslPassword: file:/p\nsaslMechanisms: PLAIN",
            "host: 127.0.0.1, sasl_user: u, sasl_password_file: /p, sasl_mechanisms: [PLAIN], "
            "tls_profile: tls"},
           {"saslUsername: u\nsaslPassword: file:/p\nsaslMechanisms: SCRAM-SHA-256",
            "host: 127.0.0.1, sasl_user: u, sasl_password_file: /p, "
            "sasl_mechanisms: [SCRAM-SHA-256]"},
           {"idleTimeoutSeconds: 0", "host: 127.0.0.1, idle_timeout: 0s"},
           {"maxFrameSize: 2048", "host: 127.0.0.1, max_frame_size: 2048"},
           {"maxSessions: 7", "host: 127.0.0.1, max_sessions: 7"},
           {"linkCapacity: 7", "host: 127.0.0.1, link_capacity: 7"},
           {"stripAnnotations: no", "host: 127.0.0.1, strip_annotations: none"}}) {
    ExpectSame(With("connector", pair.line),
               absl::StrCat(kProfileYaml, "connectors: [{name: a, ", pair.yaml, "}]"));
  }
}

TEST(QdrouterdConf, ReadsEveryAttributeOfAnSslProfile) {
  const std::string base = "name: tls, certificate_file: /c, private_key_file: /k";
  for (const Pair& pair : std::vector<Pair>{
           {"caCertFile: /ca", "ca_file: /ca"},
           {"password: file:/p w", "password_file: /p w"},
           {"passwordFile: /p", "password_file: /p"},
           {"passwordFile: /p\npassword: file:/q", "password_file: /q"},
           {"ciphers: ECDHE+AESGCM", "ciphers: ECDHE+AESGCM"},
           {"uidFormat: on2", "uid_format: on2"},
           {"protocols: TLSv1.2", "protocols_min: tls12, protocols_max: tls12"},
           {"protocols: TLSv1.3", "protocols_min: tls13, protocols_max: tls13"},
           {"protocols: TLSv1.3 TLSv1.2", "protocols_min: tls12, protocols_max: tls13"},
           {"protocols: TLSv1 TLSv1.1 TLSv1.2", "protocols_min: tls12, protocols_max: tls12"}}) {
    ExpectSame(With("sslProfile", pair.line),
               absl::StrCat("tls_profiles: [{", base, ", ", pair.yaml, "}]"));
  }
}

TEST(QdrouterdConf, ReadsEveryAttributeOfAnAddress) {
  for (const Pair& pair : std::vector<Pair>{
           {"prefix: a/b", "prefix: a/b"},
           {"name: n\nprefix: a", "name: n, prefix: a"},
           {"pattern: a/*/#", "pattern: 'a/*/#'"},
           {"prefix: a\ndistribution: multicast", "prefix: a, distribution: multicast"},
           {"prefix: a\ndistribution: closest", "prefix: a, distribution: closest"},
           {"prefix: a\ndistribution: balanced", "prefix: a, distribution: balanced"},
           {"prefix: a\ndistribution: unavailable", "prefix: a, distribution: unavailable"},
           {"prefix: a\nwaypoint: yes", "prefix: a, waypoint: true"},
           {"prefix: a\nwaypoint: off", "prefix: a, waypoint: false"},
           {"prefix: a\ningressPhase: 1\negressPhase: 2",
            "prefix: a, ingress_phase: 1, egress_phase: 2"},
           {"prefix: a\npriority: 9", "prefix: a, priority: 9"},
           {"prefix: a\nenableFallback: true", "prefix: a, enable_fallback: true"}}) {
    ExpectSame(With("address", pair.line),
               absl::StrCat(kProfileYaml, "addresses: [{", pair.yaml, "}]"));
  }
}

TEST(QdrouterdConf, BringsThePolicysLimitsToWhatTheyLimit) {
  ExpectSame(
      "policy {\nmaxConnections: 100\nmaxMessageSize: 5000\n}\nlistener {\nname: a\n}\n"
      "connector {\nname: b\n}\n",
      "router: {max_connections: 100}\n"
      "listeners: [{name: a, initial_handshake_timeout: 0s, max_message_size: 5000}]\n"
      "connectors: [{name: b, host: 127.0.0.1, max_message_size: 5000}]\n");
  ExpectSame("policy {\nmaxMessageSize: 5000\nenableVhostPolicy: no\ndefaultVhost: $default\n}",
             "router: {}");
}

TEST(QdrouterdConf, MakesLevelsOfLogSections) {
  for (const Pair& pair : std::vector<Pair>{
           {"module: DEFAULT\nenable: debug+", "default: debug"},
           {"module: DEFAULT\nenable: trace,debug+", "default: trace"},
           {"module: DEFAULT\nenable: notice+", "default: info"},
           {"module: DEFAULT\nenable: critical", "default: error"},
           {"module: DEFAULT\nenable: none", "default: off"},
           {"module: DEFAULT\nenable: default", ""},
           {"module: DEFAULT\noutputFile: stderr\nincludeTimestamp: yes\nincludeSource: no", ""},
           {"module: ROUTER\nenable: warning+", "router: warning, core: warning"},
           {"module: ROUTER_CORE\nenable: debug+", "core: debug"},
           {"module: ROUTER_HELLO\nenable: debug+", "mesh: debug"},
           {"module: ROUTER_LS\nenable: debug+", "mesh: debug"},
           {"module: ROUTER_MA\nenable: debug+", "mesh: debug"},
           {"module: MESSAGE\nenable: debug+", "amqp: debug"},
           {"module: SERVER\nenable: debug+", "net: debug, conn: debug, tls: debug"},
           {"module: AGENT\nenable: debug+", "control: debug"},
           {"module: CONTAINER\nenable: debug+", "conn: debug"},
           {"module: CONN_MGR\nenable: debug+", "config: debug, daemon: debug"},
           {"module: PROTOCOL\nenable: trace+", ""}}) {
    ExpectSame(absl::StrCat("log {\n", pair.line, "\n}\n"),
               absl::StrCat("log: {levels: {", pair.yaml, "}}"));
  }
  ExpectSame(
      "log {\nmodule: ROUTER_LS\nenable: info+\n}\nlog {\nmodule: ROUTER_MA\nenable: "
      "trace+\n}\nlog {\nmodule: ROUTER_HELLO\nenable: error+\n}\n",
      "log: {levels: {mesh: trace}}");
}

TEST(QdrouterdConf, TakesTheFileOfTheDefaultModule) {
  ExpectSame("log {\nmodule: DEFAULT\noutputFile: /var/log/router.log\n}\n",
             "log: {file: /var/log/router.log}");
  ExpectSame("log {\nmodule: DEFAULT\noutputFile: stdout\n}\n", "log: {file: /dev/stdout}");
}

TEST(QdrouterdConf, KnowsNamesOfOlderReleases) {
  ExpectSame(
      "ssl-profile {\nname: tls\ncert-db: /ca\ncertFile: /c\nkey-file: /k\n}\n"
      "listener {\nname: a\naddr: 127.0.0.1\nprotocolFamily: IPv4\n}\n"
      "connector {\nname: b\naddr: h\nsslProfile: tls\nverifyHostName: no\n}\n",
      "tls_profiles: [{name: tls, ca_file: /ca, certificate_file: /c, "
      "private_key_file: /k}]\n"
      "listeners: [{name: a, host: 127.0.0.1, socket_family: ipv4, "
      "initial_handshake_timeout: 0s}]\n"
      "connectors: [{name: b, host: h, tls_profile: tls, verify_hostname: false}]\n");
  EXPECT_EQ(Warnings("listener {\n  addr: h\n}\n"),
            "2:3 listener.addr: has long been called host\n");
  EXPECT_THAT(
      Errors("listener {\naddr: a\nhost: b\n}"),
      HasSubstr("q.conf:2:7: listener.addr: is the old name of host, which is set as well"));
}

TEST(QdrouterdConf, KeepsNamesAndMakesIdsOfThem) {
  const auto parsed = Parse(
      "listener {\nname: auto-mesh/h:1\n}\n"
      "listener {\nport: 5673\n}\n"
      "listener {\nhost: 127.0.0.1\nport: amqps\n}\n"
      "listener {\nname: plain\nport: 5674\n}\n"
      "connector {\n}\n"
      "sslProfile {\nname: My TLS\n}\n"
      "connector {\nname: c\nsslProfile: My TLS\n}\n"
      "address {\nname: N\nprefix: n\n}\n"
      "address {\nprefix: A B\n}\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const config::Document& document = parsed->document;
  const auto legacy_name = [](const auto& resources, const std::string& name) -> std::string {
    const auto found = resources.find(config::DeriveId(name));
    if (found == resources.end()) return "(not there)";
    return found->second.legacy_name();
  };
  for (const std::string name : {"auto-mesh/h:1", "listener/:5673", "listener/127.0.0.1:amqps"}) {
    EXPECT_EQ(legacy_name(document.listeners, name), name);
  }
  EXPECT_EQ(document.listeners.at("plain").legacy_name(), "");
  EXPECT_EQ(document.listeners.at("plain").name(), "listeners/plain");
  EXPECT_EQ(legacy_name(document.connectors, "connector/127.0.0.1:amqp"),
            "connector/127.0.0.1:amqp");
  EXPECT_EQ(legacy_name(document.tls_profiles, "My TLS"), "My TLS");
  EXPECT_EQ(document.connectors.at("c").spec().tls_profile(),
            "tlsProfiles/" + config::DeriveId("My TLS"));
  EXPECT_EQ(legacy_name(document.addresses, "N"), "N");
  // As in YAML: it is named by what it matches, which is no name.
  EXPECT_EQ(legacy_name(document.addresses, "A B"), "");
}

TEST(QdrouterdConf, RefusesNamesThatAreUsedTwice) {
  EXPECT_THAT(Errors("listener {\nname: a\n}\nlistener {\nname: a\nport: 1\n}\n"),
              HasSubstr("q.conf:5:7: listener.name: \"a\" is used twice, first on line 1"));
  EXPECT_THAT(Errors("listener {\n}\nlistener {\n}\n"),
              HasSubstr("q.conf:3:1: listener.name: \"listener/:amqp\" is used twice, first on"));
  EXPECT_THAT(Errors("sslProfile {\n}\n"), HasSubstr("q.conf:1:1: sslProfile.name: is required"));
  EXPECT_THAT(Errors("router {\n}\nrouter {\n}\n"),
              HasSubstr("q.conf:3:1: router: is there twice, first on line 1"));
  EXPECT_THAT(Errors(absl::StrCat("listener {\nname: ", std::string(1025, 'A'), "\n}\n")),
              HasSubstr("q.conf:2:7: listener.name: is longer than 1024 bytes"));
  EXPECT_EQ(Errors(absl::StrCat("listener {\nname: ", std::string(1024, 'A'), "\n}\n")), "");
}

TEST(QdrouterdConf, GivesAddressesWithoutANameTheIdThatIsFree) {
  const auto parsed = Parse(
      "address {\nprefix: multicast\ndistribution: multicast\n}\n"
      "address {\nname: multicast\nprefix: news\n}\n"
      "address {\npattern: a\n}\n"
      "address {\nprefix: a\n}\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  std::vector<std::string> ids;
  for (const auto& [id, address] : parsed->document.addresses) ids.push_back(id);
  EXPECT_THAT(ids, ElementsAre("a", "multicast", "q-address-2fa", "q-address-2fmulticast"));
  EXPECT_EQ(parsed->document.addresses.at("multicast").spec().prefix(), "news");
}

TEST(QdrouterdConf, SaysWhatAnAddressLacks) {
  EXPECT_THAT(Errors("address {\ndistribution: closest\n}"),
              HasSubstr("q.conf:1:1: address: needs a prefix or a pattern"));
  EXPECT_THAT(Errors("address {\nname: a\n}"),
              HasSubstr("q.conf:1:1: address: exactly one of prefix and pattern must be set"));
  EXPECT_THAT(Errors("address {\nprefix: a\npattern: a\n}"),
              HasSubstr("q.conf:3:10: address.pattern: exactly one of prefix and pattern"));
  EXPECT_THAT(Errors("address {\nprefix: a\n}\naddress {\nprefix: a\n}\n"),
              HasSubstr("q.conf:5:9: address.prefix: matches the same as address \"a\""));
}

TEST(QdrouterdConf, RefusesProfilesThatAreNotThere) {
  EXPECT_THAT(Errors("sslProfile {\nname: service\n}\nlistener {\nsslProfile: servcie\n}\n"),
              HasSubstr("q.conf:5:13: listener.sslProfile: there is no sslProfile \"servcie\"; did "
                        "you mean \"service\"?"));
  EXPECT_THAT(Errors("connector {\nsslProfile: x\n}\n"),
              HasSubstr("q.conf:2:13: connector.sslProfile: there is no sslProfile \"x\""));
}

TEST(QdrouterdConf, KeepsNamesOfFilesAsTheyAre) {
  const auto parsed = Parse("sslProfile {\nname: a\ncaCertFile: ca.pem\n}");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->document.tls_profiles.at("a").spec().ca_file(), "ca.pem");
}

TEST(QdrouterdConf, KnowsWhereEachFieldStands) {
  const auto parsed = Parse("listener {\n  name: a\n  sasl-mechanisms: ANONYMOUS\n}\n");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->positions.at("listeners[a]"), (config::Position{1, 1}));
  EXPECT_EQ(parsed->positions.at("listeners[a].sasl_mechanisms"), (config::Position{3, 20}));
  const auto profile = Parse(
      "sslProfile {\nname: t\ncertFile: /c\nprivateKeyFile: /k\npassword: file:/p\n"
      "protocols: TLSv1.2\n}\nconnector {\nname: c\nsaslUsername: u\nsaslPassword: file:/p\n}\n");
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->positions.at("tls_profiles[t].password_file"), (config::Position{5, 11}));
  EXPECT_EQ(profile->positions.at("tls_profiles[t].protocols_max"), (config::Position{6, 12}));
  EXPECT_EQ(profile->positions.at("connectors[c].sasl_password_file"), (config::Position{11, 15}));
}

TEST(QdrouterdConf, ReadsTheJsonForm) {
  ExpectSame(
      "[[\"router\", {\"id\": \"A\", \"workerThreads\": 2}],\n"
      " [\"listener\", {\"name\": \"a\", \"port\": 5673, \"authenticatePeer\": false}]]",
      "router: {id: A, workers: 2}\n"
      "listeners: [{name: a, port: 5673, require_sasl: false, initial_handshake_timeout: 0s}]");
  EXPECT_THAT(Errors("[\n [\"listener\", {\"http\": true}]\n]"),
              HasSubstr("q.conf:2:16: listener.http: WebSocket listeners are"));
}

// Every attribute that the protos name can be written: With makes none of them unknown.
TEST(QdrouterdConf, KnowsEveryLegacyNameOfTheProtos) {
  const std::vector<std::pair<std::string, const google::protobuf::Descriptor*>> sections = {
      {"router", v1::RouterSpec::descriptor()},
      {"listener", v1::ListenerSpec::descriptor()},
      {"connector", v1::ConnectorSpec::descriptor()},
      {"sslProfile", v1::TlsProfileSpec::descriptor()},
      {"address", v1::AddressSpec::descriptor()}};
  for (const auto& [section, type] : sections) {
    for (const std::string& name : LegacyNames(*type)) {
      const size_t dot = name.find('.');
      const std::string in = dot == std::string::npos ? section : name.substr(0, dot);
      const std::string line = absl::StrCat(name.substr(dot + 1), ": nothing");
      EXPECT_THAT(Errors(With(in, line)), Not(HasSubstr("unknown"))) << line;
    }
  }
}

}  // namespace
}  // namespace trunkline::legacy
