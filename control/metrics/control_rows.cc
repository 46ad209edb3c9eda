#include "control/metrics/rows.h"

namespace trunkline::metrics {
namespace {

void AddCertificate(const CertificateState& certificate, Families& families) {
  const std::string_view profile = certificate.profile;
  if (certificate.leaf_not_after != 0) {
    families.Add(Metric::kTlsNotAfter, {profile, "leaf"},
                 static_cast<double>(certificate.leaf_not_after));
  }
  if (certificate.ca_not_after != 0) {
    families.Add(Metric::kTlsNotAfter, {profile, "ca"},
                 static_cast<double>(certificate.ca_not_after));
  }
  families.Add(Metric::kTlsRevision, {profile}, certificate.revision);
  families.Add(Metric::kTlsReloads, {profile, "ok"}, certificate.reloads_ok);
  families.Add(Metric::kTlsReloads, {profile, "failed"}, certificate.reloads_failed);
  families.Add(Metric::kTlsConnections, {profile, "current"}, certificate.connections_current);
  families.Add(Metric::kTlsConnections, {profile, "retired"}, certificate.connections_retired);
}

constexpr double kNanosecond = 1e-9;  // in seconds

void AddMethod(const MethodCalls& calls, Families& families) {
  for (const CodeCount& ended : calls.ended) {
    families.Add(Metric::kControlRequests, {calls.service, calls.method, ended.code}, ended.count);
  }
  if (calls.streams) {
    families.Add(Metric::kControlWatchers, {calls.service, calls.method}, calls.open);
  } else {
    families.Add(Metric::kControlDuration, {calls.service, calls.method}, calls.duration,
                 kNanosecond);
  }
}

}  // namespace

void AddIdentity(const Identity& identity, Families& families) {
  families.Add(Metric::kBuildInfo, {identity.version, identity.openssl_version}, uint64_t{1});
  families.Add(Metric::kRouterInfo, {identity.router_id, "standalone"}, uint64_t{1});
}

void AddControl(const ControlState& state, Families& families) {
  for (const CertificateState& certificate : state.certificates) {
    AddCertificate(certificate, families);
  }
  for (const ConnectorState& connector : state.connectors) {
    for (std::string_view name : kConnectorStates) {
      families.Add(Metric::kConnectorState, {connector.connector, name},
                   uint64_t{connector.state == name});
    }
  }
  families.Add(Metric::kConfigGeneration, {}, state.generation);
  families.Add(Metric::kConfigLastReload, {}, static_cast<double>(state.configured_at_ms) / 1000);
  families.Add(Metric::kConfigReloads, {"ok"}, state.reloads_ok);
  families.Add(Metric::kConfigReloads, {"partial"}, state.reloads_partial);
  families.Add(Metric::kConfigReloads, {"failed"}, state.reloads_failed);
  families.Add(Metric::kConfigFailed, {}, state.resources_failed);
  families.Add(Metric::kStateWrites, {"ok"}, state.state_writes_ok);
  families.Add(Metric::kStateWrites, {"failed"}, state.state_writes_failed);
  for (const MethodCalls& calls : state.calls) AddMethod(calls, families);
  for (const NamedCount& reason : state.calls_denied) {
    families.Add(Metric::kControlDenied, {reason.name}, reason.count);
  }
  for (const NamedCount& reason : state.calls_refused) {
    families.Add(Metric::kControlRefused, {reason.name}, reason.count);
  }
}

void AddLog(const LogCounts& counts, Families& families) {
  for (size_t i = 0; i < counts.by_level.size(); ++i) {
    families.Add(Metric::kLogMessages, {LogLevelName(static_cast<LogLevel>(i))},
                 counts.by_level[i]);
  }
  families.Add(Metric::kLogDropped, {}, counts.dropped);
}

void AddHttp(const http::Server::Stats& stats, Families& families) {
  families.Add(Metric::kHttpRequests, {"2xx"}, stats.answers[2].Get());
  families.Add(Metric::kHttpRequests, {"4xx"}, stats.answers[4].Get());
  families.Add(Metric::kHttpRequests, {"5xx"}, stats.answers[5].Get());
  families.Add(Metric::kHttpDisplaced, {}, stats.displaced.Get());
  families.Add(Metric::kHttpHandshakes, {"ok"}, stats.handshakes.Get());
  families.Add(Metric::kHttpHandshakes, {"failed"}, stats.handshakes_failed.Get());
}

void AddProcess(const ProcessStats& stats, double start, Families& families) {
  families.Add(Metric::kProcessCpu, {}, stats.cpu_seconds);
  families.Add(Metric::kProcessResident, {}, stats.resident_bytes);
  families.Add(Metric::kProcessVirtual, {}, stats.virtual_bytes);
  families.Add(Metric::kProcessOpenFds, {}, stats.open_fds);
  families.Add(Metric::kProcessMaxFds, {}, stats.max_fds);
  families.Add(Metric::kProcessStart, {}, start);
}

}  // namespace trunkline::metrics
