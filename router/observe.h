#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "router/base/time.h"
#include "router/snapshot.h"

namespace trunkline {

// What happened, told to control in order. Plain values.
struct ListenerUp {
  std::string name;
  std::vector<std::string> addresses;  // "127.0.0.1:5672", "[::1]:5672"
};
struct ListenerFailed {
  std::string name;
  std::string error;
};
struct ListenerDown {
  std::string name;
};
struct ConnectionUp {
  uint64_t id = 0;
  std::string owner;  // listener or connector name
  bool inbound = true;
  std::string peer;  // "127.0.0.1:40312"
  std::string container_id;
  std::string user;           // empty: anonymous
  std::string tls;            // "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: plaintext
  std::string tls_profile;    // empty: plaintext
  uint64_t tls_revision = 0;  // of it: see Router::SetTls
  std::string peer_subject;   // of its certificate; empty: it showed none
  std::string mechanism;      // of SASL; empty: none
  std::string local;          // "127.0.0.1:5672"
  uint32_t worker = 0;
  Time opened;
};
struct ConnectionDown {
  uint64_t id = 0;
  std::string owner;
  bool inbound = true;
  bool was_open = false;
  std::string peer;
  std::string error;  // empty: closed in order
};
struct ConnectorFailed {  // an attempt that did not reach open
  std::string name;
  std::string peer;
  std::string error;
  int64_t retry_in_ms = 0;
  bool reached = false;  // there was a TCP connection
};
struct Drained {  // after Drain: nothing is left, or the time is up
  bool complete = false;
  uint64_t unsettled = 0;  // deliveries given up
};
// So many events about connections were not told, as nobody came to take them.
struct EventsLost {
  uint64_t count = 0;
};
using RouterEvent = std::variant<ListenerUp, ListenerFailed, ListenerDown, ConnectionUp,
                                 ConnectionDown, ConnectorFailed, Drained, Observed, EventsLost>;

// Open connections that were made with one revision of a TLS profile.
struct TlsConnections {
  std::string profile;
  uint64_t revision = 0;
  uint64_t connections = 0;
};

// Sums over all workers since start, read without stopping them.
struct RouterCounters {
  uint64_t connections_now = 0;
  uint64_t connections_total = 0;
  uint64_t connections_refused = 0;    // accepted by the system, closed at once for want of room:
  uint64_t refused_listener_full = 0;  // max_connections of the listener
  uint64_t refused_router_full = 0;    // max_connections of the router
  uint64_t refused_unopened = 0;       // too many of one address that are not open
  uint64_t refused_descriptors = 0;    // 95 % of the descriptors are in use
  uint64_t refused_system = 0;         // all are
  uint64_t handshake_timeouts = 0;
  uint64_t probes = 0;  // came and went without a byte
  uint64_t links_now = 0;
  uint64_t deliveries_in = 0;
  uint64_t deliveries_out = 0;
  uint64_t presettled = 0;
  uint64_t dropped_presettled = 0;
  uint64_t accepted = 0;
  uint64_t rejected = 0;
  uint64_t released = 0;
  uint64_t modified = 0;
  uint64_t deliveries_delayed_1s = 0;   // they took so long, but not 10 s
  uint64_t deliveries_delayed_10s = 0;  //
  uint64_t deliveries_stuck = 0;        // older than 10 s, as last looked for
  uint64_t links_blocked = 0;           // without credit for 10 s, likewise
  uint64_t frames_in = 0;
  uint64_t frames_out = 0;
  uint64_t bytes_read = 0;  // of sockets, with TLS
  uint64_t bytes_written = 0;
  uint64_t mails_sent = 0;      // between workers
  uint64_t mails_parked = 0;    // of those: there was no room at first
  uint64_t mails_received = 0;  // of those: arrived
  uint64_t wakes = 0;           // times that mail woke a worker
  uint64_t turns = 0;
  Duration longest_turn;           // of any worker, since start or RestartLongestTurn
  uint64_t memory_held_bytes = 0;  // blocks with messages in them
  uint64_t memory_budget_bytes = 0;
};

}  // namespace trunkline
