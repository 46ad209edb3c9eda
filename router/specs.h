#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "router/base/secret.h"
#include "router/base/time.h"

namespace trunkline {

// Plain values that say what should exist: the data plane's side of the resources. Durations, sizes
// and defaults as in the protos of proto/trunkline/control/v1, which are their manual.

enum class Role { kNormal, kRouteContainer };
enum class Distribution { kClosest, kBalanced, kMulticast, kUnavailable };
enum class SocketFamily { kAny, kIpv4, kIpv6 };
enum class StripAnnotations { kBoth, kIn, kOut, kNone };
enum class TlsClientAuth { kNone, kRequest, kRequire };

// What listeners and connectors have in common.
struct ConnectionSpec {
  Role role = Role::kNormal;
  std::string tls_profile;                   // empty: plaintext
  std::vector<std::string> sasl_mechanisms;  // empty: those that are possible, best first
  bool allow_insecure_plain = false;         // PLAIN (and LOGIN) without TLS
  Duration idle_timeout = Seconds(16);       // zero: none
  Duration handshake_timeout = Seconds(10);  // until the AMQP open; zero: none
  uint32_t max_frame_size = 16384;           // 512..1 MiB
  uint16_t max_sessions = 32768;             // 1..32768
  uint32_t max_links = 32768;                // 1..1,000,000, of all sessions
  uint32_t session_window_bytes = 1u << 20;  // received bytes held per session
  uint32_t link_capacity = 250;              // 1..1,000,000
  uint64_t max_message_size = 0;             // bytes; 0: no limit
  StripAnnotations strip_annotations = StripAnnotations::kBoth;
  bool operator==(const ConnectionSpec&) const = default;
};

struct ListenerSpec {
  std::string name;
  std::string host;      // empty: all addresses, dual stack
  uint16_t port = 5672;  // 0: any free port, told by ListenerUp
  SocketFamily socket_family = SocketFamily::kAny;
  TlsClientAuth tls_client_auth = TlsClientAuth::kNone;
  bool require_tls = false;  // always so when tls_profile is set: there is no fallback to plaintext
  bool require_sasl =
      false;  // refuse a bare AMQP header; ANONYMOUS does not count as authentication when set
  std::string user_store;                 // who has a password; empty: nobody
  uint32_t max_connections = 0;           // 0: no limit but the process's
  uint32_t max_unopened_per_address = 0;  // 0: half of the places there are, at least 16
  ConnectionSpec connection;
  bool operator==(const ListenerSpec&) const = default;
};

struct HostPort {
  std::string host;
  uint16_t port = 5672;
  bool operator==(const HostPort&) const = default;
};

struct ConnectorSpec {
  std::string name;
  HostPort host;
  std::vector<HostPort> failover;  // tried after `host`, each twice (spec routing section 11.2)
  bool verify_hostname = true;
  std::string server_name;  // SNI and verified name; empty: the host dialled
  std::string sasl_user;    // empty: there is no password
  Secret sasl_password;
  Duration connect_timeout = Seconds(10);
  Duration backoff_failed = Seconds(5);    // after a failure before open
  Duration backoff_closed = Seconds(2);    // after a connection that had been open
  Duration backoff_failover = Seconds(1);  // with more than one candidate
  ConnectionSpec connection;
  bool operator==(const ConnectorSpec&) const = default;
};

struct AddressSpec {
  std::string name;
  std::string prefix;  // exactly one of prefix and pattern
  std::string pattern;
  Distribution distribution = Distribution::kBalanced;
  bool waypoint = false;  // ingress 0, egress 1
  int ingress_phase = 0;  // 0..9
  int egress_phase = 0;
  std::optional<int> priority;  // 0..9
  bool enable_fallback = false;
  bool operator==(const AddressSpec&) const = default;
};

// An order to end the connections that were made with older revisions of a TLS profile.
struct TlsRetirement {
  std::string profile;
  uint64_t before = 0;  // the first revision that may stay
  Duration after;       // so long they all stay
  Duration interval;    // between two of them; zero: all at once
};

// What of the router as a whole may change while it runs.
struct RouterSettings {
  uint64_t memory_budget_bytes = 0;  // 0: 60 % of the memory there is
  Distribution default_distribution = Distribution::kBalanced;
  uint32_t max_connections = 0;  // 0: what file descriptors allow
  bool operator==(const RouterSettings&) const = default;
};

struct RouterSpec {
  std::string id;           // container-id; at most 127 characters, no control or space characters
  int workers = 0;          // 0..16; 0: as many as the processors and their quota allow
  std::string version;      // told to peers in open
  RouterSettings settings;  // to begin with
  bool operator==(const RouterSpec&) const = default;
};

}  // namespace trunkline
