#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "router/base/log.h"
#include "router/metrics.h"

namespace trunkline::metrics {

// What only control knows, handed to the HTTP thread by value.

// A TLS profile.
struct CertificateState {
  std::string profile;
  int64_t leaf_not_after = 0;  // seconds since 1970; 0: it has none
  int64_t ca_not_after = 0;    // the first of those it trusts; likewise
  uint64_t revision = 0;       // bundles in force so far
  uint64_t reloads_ok = 0;
  uint64_t reloads_failed = 0;
  uint64_t connections_current = 0;  // open ones that were made with what is in force
  uint64_t connections_retired = 0;  // likewise, with what was before
};

inline constexpr std::array<std::string_view, 3> kConnectorStates = {"connecting", "open",
                                                                     "backoff"};
struct ConnectorState {
  std::string connector;
  std::string_view state;  // of kConnectorStates
};

// Calls that ended with one code of gRPC, "NOT_FOUND".
struct CodeCount {
  std::string code;
  uint64_t count = 0;
};

// Calls of one method of the API that was called at least once.
struct MethodCalls {
  std::string service;  // "ListenerService"
  std::string method;   // "GetListener"
  bool streams = false;
  uint64_t open = 0;  // now
  std::vector<CodeCount> ended;
  Spread duration;  // nanoseconds; of those that do not stream
};

struct ControlState {
  bool started = false;  // everything that is configured was applied once
  bool draining = false;
  std::vector<CertificateState> certificates;
  std::vector<ConnectorState> connectors;
  uint64_t generation = 0;       // configurations in force so far
  int64_t configured_at_ms = 0;  // since 1970
  uint64_t reloads_ok = 0;
  uint64_t reloads_partial = 0;   // something could not be applied
  uint64_t reloads_failed = 0;    // nothing was changed
  uint64_t resources_failed = 0;  // not in force as they should be, now
  uint64_t state_writes_ok = 0;
  uint64_t state_writes_failed = 0;
  std::vector<MethodCalls> calls;
  std::vector<NamedCount> calls_denied;   // by why
  std::vector<NamedCount> calls_refused;  // for other reasons, likewise
};

// What does not change while the process runs.
struct Identity {
  std::string version;
  std::string openssl_version;
  std::string router_id;
};

// Records by LogLevel, trace to error, since start.
struct LogCounts {
  std::array<uint64_t, static_cast<size_t>(LogLevel::kOff)> by_level{};
  uint64_t dropped = 0;
};

}  // namespace trunkline::metrics
