#include "control/legacy/qdrouterd_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "control/legacy/attributes.h"
#include "same_document.h"

namespace trunkline::legacy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Files = std::map<std::string, std::string>;

absl::StatusOr<config::FileDocument> Parse(std::string_view text, const Files& files = {}) {
  return ParseQdrouterdConf(text, "q.conf",
                            [&](const std::string& file) -> absl::StatusOr<std::string> {
                              const auto found = files.find(file);
                              if (found != files.end()) return found->second;
                              return absl::NotFoundError(absl::StrCat(file, ": is not there"));
                            });
}

std::string Errors(std::string_view text, const Files& files = {}) {
  return std::string(Parse(text, files).status().message());
}

// "2:7 listener.port: …", each on a line.
std::string Warnings(std::string_view text, const Files& files = {}) {
  const auto parsed = Parse(text, files);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  std::string all;
  if (!parsed.ok()) return all;
  for (const config::Problem& warning : parsed->warnings) {
    absl::StrAppend(&all, warning.at.line, ":", warning.at.column, " ", warning.path, ": ",
                    warning.text, "\n");
  }
  return all;
}

void ExpectSame(const std::string& legacy, const std::string& yaml, const Files& files = {}) {
  SCOPED_TRACE(legacy);
  const auto from_legacy = Parse(legacy, files);
  const auto from_yaml = config::ParseDocument(yaml, "/f.yaml");
  ASSERT_TRUE(from_legacy.ok()) << from_legacy.status();
  ASSERT_TRUE(from_yaml.ok()) << from_yaml.status();
  EXPECT_EQ(Difference(from_legacy->document, from_yaml->document), "");
}

// The section with one more line, in a file that is good without it.
std::string With(const std::string& section, const std::string& line) {
  std::string text = "sslProfile {\nname: tls\ncertFile: /c\nprivateKeyFile: /k\n";
  if (section == "sslProfile") return absl::StrCat(text, line, "\n}\n");
  absl::StrAppend(&text, "}\n", section, " {\n");
  if (section == "listener" || section == "connector") absl::StrAppend(&text, "name: a\n");
  if (section == "log") absl::StrAppend(&text, "module: DEFAULT\n");
  return absl::StrCat(text, line, "\n}\n");
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

struct Refusal {
  std::string section;
  std::string line;
  std::string error;  // behind FILE:LINE:
};

// Of With: the first line of what is added, in a listener or connector one below.
int LineOf(const std::string& section) {
  if (section == "sslProfile") return 5;
  return section == "listener" || section == "connector" || section == "log" ? 8 : 7;
}

void ExpectRefused(const Refusal& refusal) {
  SCOPED_TRACE(refusal.line);
  const std::string errors = Errors(With(refusal.section, refusal.line));
  EXPECT_THAT(errors,
              HasSubstr(absl::StrCat("q.conf:", LineOf(refusal.section), ":", refusal.error)));
}

TEST(QdrouterdConf, RefusesWhatIsNotThereByNameAndLine) {
  for (const Refusal& refusal : std::vector<Refusal>{
           {"router", "mode: edge", "7: router.mode: edge: edge routers and connections to"},
           {"listener", "role: inter-router",
            "7: listener.role: inter-router: connections between routers are not there"},
           {"listener", "role: edge", "7: listener.role: edge: edge routers and"},
           {"connector", "role: inter-router", "7: connector.role: inter-router: connections"},
           {"connector", "role: edge", "7: connector.role: edge: edge routers"},
           {"listener", "http: yes", "1: listener.http: HTTP and WebSocket listeners are not"},
           {"listener", "http: true", "1: listener.http: HTTP and WebSocket listeners are not"},
           {"listener", "httpRootDir: /x", "1: listener.httpRootDir: HTTP and WebSocket"},
           {"listener", "multiTenant: yes", "1: listener.multiTenant: "},
           {"listener", "failoverUrls: a,b", "1: listener.failoverUrls: failover lists"},
           {"listener", "saslPlugin: x", "1: listener.saslPlugin: remote authentication"},
           {"listener", "policyVhost: x", "1: listener.policyVhost: policies for virtual"},
           {"listener", "openProperties: {\n\"a\": 1\n}", "1: listener.openProperties: prop"},
           {"connector", "policyVhost: x", "1: connector.policyVhost: policies for virtual"},
           {"connector", "openProperties: {\n\"a\": 1\n}", "1: connector.openProperties: prop"},
           {"sslProfile", "uidNameMappingFile: /x", "1: sslProfile.uidNameMappingFile: display"},
           {"policy", "enableVhostPolicy: yes", "1: policy.enableVhostPolicy: policies for"},
           {"log", "outputFile: /var/log/q.log", "1: log.outputFile: the log goes to standard"},
       }) {
    ExpectRefused(refusal);
  }
  for (const std::string section :
       {"linkRoute", "autoLink", "exchange", "binding", "vhost", "authServicePlugin", "console",
        "tcpListener", "tcpConnector", "httpListener", "httpConnector"}) {
    EXPECT_THAT(Errors(absl::StrCat("\n", section, " {\n}\n")),
                HasSubstr(absl::StrCat("q.conf:2:1: ", section, ": ")));
    EXPECT_THAT(Errors(absl::StrCat("\n", section, " {\n}\n")), HasSubstr("not there\n"));
  }
}

TEST(QdrouterdConf, RefusesTlsThatIsLeftToTheClient) {
  ExpectRefused({"listener", "requireSsl: no\nsslProfile: tls",
                 "13: listener.requireSsl: TLS and plain connections on one port are not there"});
  ExpectRefused({"listener", "requireSsl: yes", "13: listener.requireSsl: needs an sslProfile"});
  ExpectRefused({"listener", "requireEncryption: yes",
                 "20: listener.requireEncryption: needs an sslProfile"});
  ExpectRefused(
      {"listener", "requireSsl: maybe", "13: listener.requireSsl: \"maybe\" is not yes or no"});
}

TEST(QdrouterdConf, ReadsPasswordsFromFilesOnlyAndShowsNone) {
  for (const std::string form :
       {"geheim", "pass:geheim", "literal:geheim", "env:geheim", "file:"}) {
    const std::string text = "passwords are read from files only";
    ExpectRefused({"sslProfile", "password: " + form, "11: sslProfile.password: " + text});
    ExpectRefused({"connector", "saslPassword: " + form, "15: connector.saslPassword: " + text});
    EXPECT_THAT(Errors(With("sslProfile", "password: " + form)), Not(HasSubstr("geheim")));
    EXPECT_THAT(Errors(With("connector", "saslPassword: " + form)), Not(HasSubstr("geheim")));
  }
}

TEST(QdrouterdConf, RefusesValuesThatAreNone) {
  for (const Refusal& refusal : std::vector<Refusal>{
           {"router", "mode: central",
            "7: router.mode: \"central\" is not one of standalone, interior, edge"},
           {"router", "workerThreads: many", "16: router.workerThreads: \"many\" is not a whole"},
           {"router", "defaultDistribution: round", "22: router.defaultDistribution: \"round\" is"},
           {"router", "id: a b", "5: router.id: must not hold blanks"},
           {"listener", "port: 65536", "7: listener.port: 65536 is not in 0..65535"},
           {"listener", "port: -1", "7: listener.port: \"-1\" is not in 0..65535"},
           {"listener", "port: http", "7: listener.port: \"http\" is not a whole number"},
           {"listener", "host: a b", "7: listener.host: \"a b\" is no name or address"},
           {"listener", "role: Normal", "7: listener.role: \"Normal\" is not one of normal, "},
           {"listener", "authenticatePeer: 2", "19: listener.authenticatePeer: \"2\" is not yes"},
           {"listener", "idleTimeoutSeconds: 1m", "21: listener.idleTimeoutSeconds: \"1m\" is no"},
           {"listener", "idleTimeoutSeconds: -1", "21: listener.idleTimeoutSeconds: -1s is not"},
           {"listener", "idleTimeoutSeconds: 99999999999", "21: listener.idleTimeoutSeconds: "},
           {"listener", "linkCapacity: {\n}", "15: listener.linkCapacity: is a map or a list"},
           {"listener", "maxFrameSize: -5", "15: listener.maxFrameSize: \"-5\" is not in 512.."},
           {"connector", "port: 0", "7: connector.port: 0 is not in 1..65535"},
           {"sslProfile", "protocols: SSLv3", "12: sslProfile.protocols: \"SSLv3\" is not one"},
           {"sslProfile", "protocols: TLSv1", "12: sslProfile.protocols: names none of TLSv1.2"},
           {"sslProfile", "uidFormat: x", "12: sslProfile.uidFormat: \"x\" is none of"},
           {"address", "ingressPhase: 10\nprefix: a", "15: address.ingressPhase: 10 is not in"},
           {"address", "priority: 10\nprefix: a", "11: address.priority: 10 is not in 0..9"},
           {"address", "waypoint: perhaps\nprefix: a", "11: address.waypoint: \"perhaps\" is"},
           {"policy", "maxConnections: all", "17: policy.maxConnections: \"all\" is not a whole"},
           {"log", "enable: loud", "9: log.enable: \"loud\" is not one of trace, debug"},
       }) {
    ExpectRefused(refusal);
  }
  EXPECT_THAT(Errors("log {\nenable: info+\n}"), HasSubstr("q.conf:1:1: log.module: is required"));
  EXPECT_THAT(Errors("log {\nmodule: HELLO\n}"),
              HasSubstr("q.conf:2:9: log.module: \"HELLO\" is not one of DEFAULT, ROUTER"));
}

TEST(QdrouterdConf, RefusesWordsThatDispatchHasNot) {
  ExpectRefused({"listener", "prot: 1", "1: listener.prot: unknown attribute; did you mean"});
  ExpectRefused({"listener", "maxMessageSize: 1", "1: listener.maxMessageSize: unknown attribute"});
  ExpectRefused({"listener", "max_links: 1", "1: listener.maxLinks: unknown attribute"});
  ExpectRefused({"policy", "maxConnection: 1",
                 "1: policy.maxConnection: unknown attribute; did you mean \"maxConnections\"?"});
  EXPECT_THAT(Errors("container {\n}"),
              HasSubstr("q.conf:1:1: container: unknown section; known are router, log, policy"));
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

TEST(QdrouterdConf, WarnsOfWhatHasNoEffect) {
  for (const Refusal& warning : std::vector<Refusal>{
           {"router", "mode: interior", "7 router.mode: works as standalone"},
           {"router", "area: x", "1 router.area: has no effect"},
           {"router", "helloInterval: 2", "1 router.helloIntervalSeconds: has no effect"},
           {"router", "helloMaxAgeSeconds: 4", "1 router.helloMaxAgeSeconds: has no effect"},
           {"router", "raIntervalSeconds: 4", "1 router.raIntervalSeconds: has no effect"},
           {"router", "raIntervalFluxSeconds: 5", "1 router.raIntervalFluxSeconds: has no"},
           {"router", "remoteLsMaxAgeSeconds: 4", "1 router.remoteLsMaxAgeSeconds: has no"},
           {"router", "debugDumpFile: /x", "1 router.debugDumpFile: has no effect"},
           {"router", "allowResumableLinkRoute: no", "1 router.allowResumableLinkRoute: has no"},
           {"router", "timestampsInUTC: no", "1 router.timestampsInUTC: has no effect"},
           {"router", "timestampFormat: %c", "1 router.timestampFormat: has no effect"},
           {"router", "allowUnsettledMulticast: yes", "1 router.allowUnsettledMulticast: has"},
           {"router", "metadata: x", "1 router.metadata: has no effect"},
           {"router", "workerThreads: 99", "16 router.workerThreads: 99 is not in 0..16; 16 is"},
           {"router", "id: R.${HOSTNAME}", "5 router.id: ${…} stands for itself"},
           {"policy", "enableVhostNamePatterns: yes", "1 policy.enableVhostNamePatterns: has no"},
           {"policy", "policyDir: /x", "1 policy.policyDir: has no effect"},
           {"policy", "defaultVhost: x", "1 policy.defaultVhost: has no effect"},
           {"sslProfile", "passwordFile: /p", "15 sslProfile.passwordFile: has long been"},
           {"sslProfile", "protocols: TLSv1.1 TLSv1.2", "12 sslProfile.protocols: TLSv1 and"},
           {"listener", "healthz: no", "1 listener.healthz: has no effect without http"},
           {"listener", "metrics: no", "1 listener.metrics: has no effect without http"},
           {"listener", "websockets: no", "1 listener.websockets: has no effect without http"},
           {"listener", "trustedCertsFile: /x", "1 listener.trustedCertsFile: has no effect, as"},
           {"listener", "cost: 2", "1 listener.cost: has no effect"},
           {"listener", "maxSessionFrames: 9", "1 listener.maxSessionFrames: has no effect"},
           {"listener", "logMessage: all", "1 listener.messageLoggingComponents: has no effect"},
           {"listener", "sslProfile: tls", "13 listener.sslProfile: every client must speak TLS"},
           {"connector", "cost: 2", "1 connector.cost: has no effect"},
           {"connector", "protocolFamily: IPv4", "1 connector.protocolFamily: has no effect"},
           {"connector", "allowRedirect: no", "1 connector.allowRedirect: has no effect"},
           {"connector", "maxSessionFrames: 9", "1 connector.maxSessionFrames: has no effect"},
           {"connector", "failoverUrls: a", "1 connector.failoverUrls: has no effect, as in"},
           {"connector", "messageLoggingComponents: all", "1 connector.messageLoggingComponents"},
           {"connector", "verifyHostname: no", "17 connector.verifyHostname: has no effect"},
           {"log", "enable: info", "9 log.enable: a level here brings all those above it"},
           {"log", "includeTimestamp: no", "1 log.includeTimestamp: has no effect"},
           {"log", "source: yes", "1 log.includeSource: has no effect"},
       }) {
    SCOPED_TRACE(warning.line);
    const size_t place = warning.error.find(' ');
    ASSERT_NE(place, std::string::npos);
    EXPECT_THAT(Warnings(With(warning.section, warning.line)),
                HasSubstr(absl::StrCat(LineOf(warning.section), ":", warning.error)));
  }
  EXPECT_THAT(Warnings("log {\nmodule: PYTHON\nenable: info+\n}"),
              HasSubstr("2:9 log.module: has no effect: there is nothing like PYTHON here"));
}

TEST(QdrouterdConf, SaysNothingOfWhatIsTheDefaultAnyway) {
  EXPECT_EQ(
      Warnings("router {\nmode: standalone\nhelloIntervalSeconds: 1\ntimestampsInUTC: true\n}\n"
               "listener {\nhttp: off\ncost: 1\nhealthz: on\nmultiTenant: no\n"
               "messageLoggingComponents: none\nmaxSessionFrames: 0\n}\n"
               "connector {\nallowRedirect: yes\n}\n"
               "log {\nmodule: DEFAULT\nenable: info+\noutputFile: stderr\n}\n"
               "policy {\nenableVhostPolicy: no\n}\n"),
      "");
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

TEST(QdrouterdConf, TellsAllProblemsInOrderOfPlace) {
  EXPECT_EQ(Errors("listener {\nrole: edge\nport: x\n}\nvhost {\n}\nrouter {\nmode: edge\n}\n"),
            "q.conf:2:7: listener.role: edge: edge routers and connections to them are not there\n"
            "q.conf:3:7: listener.port: \"x\" is not a whole number\n"
            "q.conf:5:1: vhost: policies for virtual hosts are not there\n"
            "q.conf:8:7: router.mode: edge: edge routers and connections to them are not there\n");
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
}

TEST(QdrouterdConf, ReadsTheJsonForm) {
  ExpectSame(
      "[[\"router\", {\"id\": \"A\", \"workerThreads\": 2}],\n"
      " [\"listener\", {\"name\": \"a\", \"port\": 5673, \"authenticatePeer\": false}]]",
      "router: {id: A, workers: 2}\n"
      "listeners: [{name: a, port: 5673, require_sasl: false, initial_handshake_timeout: 0s}]");
  EXPECT_THAT(Errors("[\n [\"listener\", {\"http\": true}]\n]"),
              HasSubstr("q.conf:2:16: listener.http: HTTP and WebSocket"));
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
