#include "control/legacy/vocabulary.h"

#include <array>

namespace trunkline::legacy {
namespace {

constexpr Gap::Verdict kRefused = Gap::Verdict::kRefused;
constexpr Gap::Verdict kNoEffect = Gap::Verdict::kNoEffect;

constexpr std::string_view kNoHttp = "has no effect without http: yes";
constexpr std::string_view kNoPolicy = "policies for virtual hosts are not there";
constexpr std::string_view kNoProperties = "properties of one's own in the AMQP open are not there";
constexpr std::string_view kNoNetwork = "has no effect: it is about networks of routers";
constexpr std::string_view kNoMessageLog = "has no effect: messages are not logged";
constexpr std::string_view kOwnWindow =
    "has no effect: a session holds at most 1 MiB of what is received";
constexpr std::string_view kLogForm =
    "has no effect: every record has its time, in UTC, and its module";

constexpr std::array kGaps = {
    Gap{"linkRoute", "", kRefused, "", "link routes are not there"},
    Gap{"autoLink", "", kRefused, "", "auto-links are not there"},
    Gap{"exchange", "", kRefused, "", "exchanges are not there"},
    Gap{"binding", "", kRefused, "", "exchanges and their bindings are not there"},
    Gap{"vhost", "", kRefused, "", kNoPolicy},
    Gap{"authServicePlugin", "", kRefused, "", "remote authentication services are not there"},
    Gap{"console", "", kRefused, "", "the console is not there"},
    Gap{"tcpListener", "", kRefused, "", "TCP adaptors are not there"},
    Gap{"tcpConnector", "", kRefused, "", "TCP adaptors are not there"},
    Gap{"httpListener", "", kRefused, "", "HTTP adaptors are not there"},
    Gap{"httpConnector", "", kRefused, "", "HTTP adaptors are not there"},

    Gap{"router", "area", kNoEffect, "0", kNoNetwork},
    Gap{"router", "helloIntervalSeconds", kNoEffect, "1", kNoNetwork},
    Gap{"router", "helloMaxAgeSeconds", kNoEffect, "3", kNoNetwork},
    Gap{"router", "raIntervalSeconds", kNoEffect, "30", kNoNetwork},
    Gap{"router", "raIntervalFluxSeconds", kNoEffect, "4", kNoNetwork},
    Gap{"router", "remoteLsMaxAgeSeconds", kNoEffect, "60", kNoNetwork},
    Gap{"router", "debugDumpFile", kNoEffect, "", "has no effect: there is no debug dump"},
    Gap{"router", "allowResumableLinkRoute", kNoEffect, "yes", "has no effect: no link routes"},
    Gap{"router", "timestampsInUTC", kNoEffect, "yes", kLogForm},
    Gap{"router", "timestampFormat", kNoEffect, "", kLogForm},
    Gap{"router", "allowUnsettledMulticast", kNoEffect, "",
        "has no effect: unsettled messages may always be multicast"},
    Gap{"router", "metadata", kNoEffect, "", "has no effect: it is a label for consoles"},

    Gap{"policy", "enableVhostPolicy", kRefused, "no", kNoPolicy},
    Gap{"policy", "enableVhostNamePatterns", kNoEffect, "no",
        "has no effect: policies for virtual hosts are not enabled"},
    Gap{"policy", "policyDir", kNoEffect, "",
        "has no effect: policies for virtual hosts are not enabled"},
    Gap{"policy", "defaultVhost", kNoEffect, "$default",
        "has no effect: policies for virtual hosts are not enabled"},

    Gap{"sslProfile", "uidNameMappingFile", kRefused, "", "display names for users are not there"},

    Gap{"listener", "httpRootDir", kNoEffect, "", kNoHttp},
    Gap{"listener", "healthz", kNoEffect, "yes", kNoHttp},
    Gap{"listener", "metrics", kNoEffect, "yes", kNoHttp},
    Gap{"listener", "websockets", kNoEffect, "yes", kNoHttp},
    Gap{"listener", "multiTenant", kRefused, "no", "address spaces of their own are not there"},
    Gap{"listener", "failoverUrls", kRefused, "", "failover lists for clients are not there"},
    Gap{"listener", "saslPlugin", kRefused, "", "remote authentication services are not there"},
    Gap{"listener", "trustedCertsFile", kNoEffect, "",
        "has no effect, as in Dispatch; caCertFile of the sslProfile has"},
    Gap{"listener", "cost", kNoEffect, "1", kNoNetwork},
    Gap{"listener", "maxSessionFrames", kNoEffect, "0", kOwnWindow},
    Gap{"listener", "messageLoggingComponents", kNoEffect, "none", kNoMessageLog},
    Gap{"listener", "policyVhost", kRefused, "", kNoPolicy},
    Gap{"listener", "openProperties", kRefused, "", kNoProperties},

    Gap{"connector", "cost", kNoEffect, "1", kNoNetwork},
    Gap{"connector", "protocolFamily", kNoEffect, "",
        "has no effect, as in Dispatch; write an address as host to choose"},
    Gap{"connector", "allowRedirect", kNoEffect, "yes",
        "has no effect: redirects are not followed"},
    Gap{"connector", "maxSessionFrames", kNoEffect, "0", kOwnWindow},
    Gap{"connector", "messageLoggingComponents", kNoEffect, "none", kNoMessageLog},
    Gap{"connector", "failoverUrls", kNoEffect, "",
        "has no effect, as in Dispatch, where it is read-only"},
    Gap{"connector", "policyVhost", kRefused, "", kNoPolicy},
    Gap{"connector", "openProperties", kRefused, "", kNoProperties},

    Gap{"log", "includeTimestamp", kNoEffect, "yes", kLogForm},
    Gap{"log", "includeSource", kNoEffect, "no", kLogForm},
};

struct Pair {
  std::string_view attribute;
  std::string_view value;
  std::string_view text;
};

constexpr std::array kRefusedValues = {
    Pair{"role", "inter-router", "connections between routers are not there"},
    Pair{"role", "edge", "edge routers and connections to them are not there"},
    Pair{"mode", "edge", "edge routers and connections to them are not there"},
};

constexpr std::array kPlainValues = {
    Pair{"port", "amqp", "5672"},
    Pair{"port", "amqps", "5671"},
    Pair{"socketAddressFamily", "IPv4", "ipv4"},
    Pair{"socketAddressFamily", "IPv6", "ipv6"},
    Pair{"stripAnnotations", "no", "none"},
};

struct OldName {
  std::string_view section;
  std::string_view old;
  std::string_view current;
};

constexpr std::array kOldNames = {
    OldName{"router", "helloInterval", "helloIntervalSeconds"},
    OldName{"router", "helloMaxAge", "helloMaxAgeSeconds"},
    OldName{"router", "raInterval", "raIntervalSeconds"},
    OldName{"router", "raIntervalFlux", "raIntervalFluxSeconds"},
    OldName{"router", "remoteLsMaxAge", "remoteLsMaxAgeSeconds"},
    OldName{"router", "debugDump", "debugDumpFile"},
    OldName{"router", "saslConfigPath", "saslConfigDir"},
    OldName{"sslProfile", "certDb", "caCertFile"},
    OldName{"sslProfile", "keyFile", "privateKeyFile"},
    OldName{"sslProfile", "displayNameFile", "uidNameMappingFile"},
    OldName{"listener", "addr", "host"},
    OldName{"listener", "protocolFamily", "socketAddressFamily"},
    OldName{"listener", "trustedCerts", "trustedCertsFile"},
    OldName{"listener", "failoverList", "failoverUrls"},
    OldName{"listener", "httpRoot", "httpRootDir"},
    OldName{"listener", "logMessage", "messageLoggingComponents"},
    OldName{"connector", "addr", "host"},
    OldName{"connector", "verifyHostName", "verifyHostname"},
    OldName{"connector", "failoverList", "failoverUrls"},
    OldName{"connector", "logMessage", "messageLoggingComponents"},
    OldName{"log", "timestamp", "includeTimestamp"},
    OldName{"log", "source", "includeSource"},
    OldName{"log", "output", "outputFile"},
};

// A smaller frame, fewer sessions, less credit or fewer threads serve the same.
constexpr std::array kFits = {
    Fit{"maxFrameSize"},
    Fit{"maxSessions", true},
    Fit{"linkCapacity", true},
    Fit{"workerThreads"},
};

}  // namespace

absl::Span<const Gap> Gaps() { return kGaps; }

const Gap* FindGap(std::string_view section, std::string_view attribute) {
  for (const Gap& gap : kGaps) {
    if (gap.section == section && gap.attribute == attribute) return &gap;
  }
  return nullptr;
}

std::string_view RefusedValue(std::string_view attribute, std::string_view value) {
  for (const Pair& pair : kRefusedValues) {
    if (pair.attribute == attribute && pair.value == value) return pair.text;
  }
  return {};
}

std::string_view CurrentName(std::string_view section, std::string_view name) {
  for (const OldName& pair : kOldNames) {
    if (pair.section == section && pair.old == name) return pair.current;
  }
  return name;
}

std::string_view PlainValue(std::string_view attribute, std::string_view value) {
  for (const Pair& pair : kPlainValues) {
    if (pair.attribute == attribute && pair.value == value) return pair.text;
  }
  return value;
}

const Fit* FindFit(std::string_view attribute) {
  for (const Fit& fit : kFits) {
    if (fit.attribute == attribute) return &fit;
  }
  return nullptr;
}

}  // namespace trunkline::legacy
