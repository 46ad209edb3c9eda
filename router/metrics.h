#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "router/observe.h"
#include "router/specs.h"

namespace trunkline {

// Everything the router counts, for whoever shows it. Plain values: sums over all workers since
// start unless said otherwise, read without stopping them, so numbers that belong together may be
// a turn apart.

// One of a closed set of kinds, "idle_timeout", and how often it happened. The name is a literal.
struct NamedCount {
  std::string_view name;
  uint64_t count = 0;
};

// How values are spread: how many are at most bounds[0], then bounds[1], ..., then above the last.
struct Spread {
  absl::Span<const uint64_t> bounds;  // of static storage
  std::vector<uint64_t> counts;       // bounds.size() + 1, each for itself
  uint64_t sum = 0;
};

// By what the peer or the worker said to a login.
struct SaslCount {
  std::string_view mechanism;
  uint64_t ok = 0;
  uint64_t denied = 0;
  uint64_t error = 0;
};

// One worker.
struct WorkerMetrics {
  uint64_t turns = 0;
  uint64_t busy_ns = 0;  // of all turns
  // When the turn that is under way began, by the monotonic clock; kNever: the worker waits.
  Time turn_began;
  uint64_t mails_sent = 0;
  uint64_t mails_parked = 0;
};

// Connections of one listener or connector that is there, since it is.
struct OwnerMetrics {
  std::string name;
  bool inbound = true;  // a listener
  Role role = Role::kNormal;
  uint64_t opened = 0;
  uint64_t probes = 0;  // came and went without a byte
  uint64_t handshake_timeouts = 0;
  std::vector<NamedCount> closed;          // of opened, by why
  std::vector<NamedCount> failed;          // attempts, by the stage that they did not get past
  std::vector<NamedCount> refused;         // listeners: closed when accepted, by why
  std::vector<NamedCount> tls_handshakes;  // by result
  // Of what the configuration offers, and what was used all the same.
  std::vector<SaslCount> sasl;
};

struct RouterMetrics {
  RouterCounters sums;
  uint64_t links_in = 0;  // attached now
  uint64_t links_out = 0;
  uint64_t unsettled = 0;    // copies that were sent and have no outcome, now
  uint64_t undelivered = 0;  // copies that wait for credit, now
  uint64_t addresses = 0;    // that have consumers, now
  uint64_t redirected_fallback = 0;
  std::vector<NamedCount> dropped;  // pre-settled copies that nobody got, by why
  std::vector<NamedCount> faults;   // what peers did wrong, by what it was
  // One in sixteen deliveries; bytes or nanoseconds.
  Spread message_size;
  Spread forward_duration;
  Spread credit_wait;
  // By outcome: accepted, rejected, released, modified.
  std::vector<std::string_view> outcomes;
  std::vector<Spread> settle_duration;
  Spread turn_duration;  // of all turns
  std::vector<WorkerMetrics> workers;
  std::vector<OwnerMetrics> owners;
};

}  // namespace trunkline
