// What a qdrouterd.conf asks for in vain: refused, or warned of, each with its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/config/read_file.h"
#include "control/legacy/vocabulary.h"
#include "parsing.h"

namespace trunkline::legacy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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

TEST(Refusals, RefusesWhatIsNotThereByNameAndLine) {
  for (const Refusal& refusal : std::vector<Refusal>{
           {"router", "mode: edge", "7: router.mode: edge: edge routers and connections to"},
           {"listener", "role: inter-router",
            "7: listener.role: inter-router: connections between routers are not there"},
           {"listener", "role: edge", "7: listener.role: edge: edge routers and"},
           {"connector", "role: inter-router", "7: connector.role: inter-router: connections"},
           {"connector", "role: edge", "7: connector.role: edge: edge routers"},
           {"listener", "http: yes", "1: listener.http: WebSocket listeners are not there: with"},
           {"listener", "http: true\nwebsockets: on", "1: listener.http: WebSocket listeners are"},
           {"listener", "multiTenant: yes", "1: listener.multiTenant: "},
           {"listener", "failoverUrls: a,b", "1: listener.failoverUrls: failover lists"},
           {"listener", "saslPlugin: x", "1: listener.saslPlugin: remote authentication"},
           {"listener", "policyVhost: x", "1: listener.policyVhost: policies for virtual"},
           {"listener", "openProperties: {\n\"a\": 1\n}", "1: listener.openProperties: prop"},
           {"connector", "policyVhost: x", "1: connector.policyVhost: policies for virtual"},
           {"connector", "openProperties: {\n\"a\": 1\n}", "1: connector.openProperties: prop"},
           {"sslProfile", "uidNameMappingFile: /x", "1: sslProfile.uidNameMappingFile: display"},
           {"policy", "enableVhostPolicy: yes", "1: policy.enableVhostPolicy: policies for"},
           {"log", "outputFile: syslog", "13: log.outputFile: the log goes to standard"},
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

TEST(Refusals, RefusesTlsThatIsLeftToTheClient) {
  ExpectRefused({"listener", "requireSsl: no\nsslProfile: tls",
                 "13: listener.requireSsl: TLS and plain connections on one port are not there"});
  ExpectRefused({"listener", "requireSsl: yes", "13: listener.requireSsl: needs an sslProfile"});
  ExpectRefused({"listener", "requireEncryption: yes",
                 "20: listener.requireEncryption: needs an sslProfile"});
  ExpectRefused(
      {"listener", "requireSsl: maybe", "13: listener.requireSsl: \"maybe\" is not yes or no"});
}

TEST(Refusals, ReadsPasswordsFromFilesOnlyAndShowsNone) {
  for (const std::string form :
       {"geheim", "pass:geheim", "literal:geheim", "env:geheim", "file:"}) {
    const std::string text = "passwords are read from files only";
    ExpectRefused({"sslProfile", "password: " + form, "11: sslProfile.password: " + text});
    ExpectRefused({"connector", "saslPassword: " + form, "15: connector.saslPassword: " + text});
    EXPECT_THAT(Errors(With("sslProfile", "password: " + form)), Not(HasSubstr("geheim")));
    EXPECT_THAT(Errors(With("connector", "saslPassword: " + form)), Not(HasSubstr("geheim")));
  }
}

TEST(Refusals, RefusesValuesThatAreNone) {
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
           {"listener", "saslMechanisms: 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7",
            "17: listener.saslMechanisms: 17 entries are more than 16"},
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

TEST(Refusals, RefusesWordsThatDispatchHasNot) {
  ExpectRefused({"listener", "prot: 1", "1: listener.prot: unknown attribute; did you mean"});
  ExpectRefused({"listener", "maxMessageSize: 1", "1: listener.maxMessageSize: unknown attribute"});
  ExpectRefused({"listener", "max_links: 1", "1: listener.maxLinks: unknown attribute"});
  ExpectRefused({"policy", "maxConnection: 1",
                 "1: policy.maxConnection: unknown attribute; did you mean \"maxConnections\"?"});
  EXPECT_THAT(Errors("container {\n}"),
              HasSubstr("q.conf:1:1: container: unknown section; known are router, log, policy"));
}

TEST(Refusals, WarnsOfWhatHasNoEffect) {
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
           {"listener", "httpRootDir: /x", "1 listener.httpRootDir: has no effect without http"},
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

TEST(Refusals, SaysNothingOfWhatIsTheDefaultAnyway) {
  EXPECT_EQ(
      Warnings("router {\nmode: standalone\nhelloIntervalSeconds: 1\ntimestampsInUTC: true\n}\n"
               "listener {\nhttp: off\ncost: 1\nhealthz: on\nmultiTenant: no\n"
               "messageLoggingComponents: none\nmaxSessionFrames: 0\n}\n"
               "connector {\nallowRedirect: yes\n}\n"
               "log {\nmodule: DEFAULT\nenable: info+\noutputFile: stderr\n}\n"
               "policy {\nenableVhostPolicy: no\n}\n"),
      "");
}

TEST(Refusals, HasEveryGapInItsReadme) {
  const auto readme = config::ReadFile(TRUNKLINE_SAMPLES "/../../legacy/README.md", 1 << 20);
  ASSERT_TRUE(readme.ok()) << readme.status();
  const size_t refused = readme->find("## What is refused");
  const size_t no_effect = readme->find("## What has no effect");
  ASSERT_LT(refused, no_effect);
  ASSERT_NE(no_effect, std::string::npos);
  for (const Gap& gap : Gaps()) {
    const bool is_refused = gap.verdict == Gap::Verdict::kRefused;
    const std::string part =
        is_refused ? readme->substr(refused, no_effect - refused) : readme->substr(no_effect);
    const std::string name(gap.attribute.empty() ? gap.section : gap.attribute);
    EXPECT_THAT(part, HasSubstr(absl::StrCat("`", name))) << std::string(gap.section);
  }
}

TEST(Refusals, TellsAllProblemsInOrderOfPlace) {
  EXPECT_EQ(Errors("listener {\nrole: edge\nport: x\n}\nvhost {\n}\nrouter {\nmode: edge\n}\n"),
            "q.conf:2:7: listener.role: edge: edge routers and connections to them are not there\n"
            "q.conf:3:7: listener.port: \"x\" is not a whole number\n"
            "q.conf:5:1: vhost: policies for virtual hosts are not there\n"
            "q.conf:8:7: router.mode: edge: edge routers and connections to them are not there\n");
}

TEST(Refusals, TellsWhatTheRulesSayInTheWordsOfTheFile) {
  EXPECT_THAT(Errors("connector {\n  saslMechanisms: ANONYMOUS EXTERNAL\n}\n"),
              HasSubstr("q.conf:2:19: connector.saslMechanisms: EXTERNAL needs"));
  EXPECT_THAT(Errors("connector {\n  saslPassword: file:/p\n}\n"),
              HasSubstr("q.conf:2:17: connector.saslPassword: needs sasl_user"));
  EXPECT_THAT(Errors("sslProfile {\nname: t\npasswordFile: /p\n}\n"),
              HasSubstr("q.conf:3:15: sslProfile.passwordFile: needs private_key_file"));
  EXPECT_THAT(Errors("sslProfile {\nname: t\nprotocols: TLSv1.3\nciphers: ALL\n}\n"),
              HasSubstr("q.conf:4:10: sslProfile.ciphers: are for TLS 1.2"));
}

TEST(Refusals, TellsABadLimitOnce) {
  EXPECT_EQ(Errors("policy {\nmaxMessageSize: much\n}\nlistener {\n}\nconnector {\n}\n"),
            "q.conf:2:17: policy.maxMessageSize: \"much\" is not a whole number\n");
}

}  // namespace
}  // namespace trunkline::legacy
