#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "router/base/time.h"
#include "router/specs.h"

namespace trunkline {

// What the router is doing: its connections and links, each as it was when its worker looked at it
// (Router::Observe). Plain values. A worker looks at a few in each of its turns, so two of them may
// be many turns apart.

// An entry of the properties of a peer's open, as far as it is a text or a whole number.
struct PeerProperty {
  std::string key;
  std::variant<int64_t, std::string> value;
  bool operator==(const PeerProperty&) const = default;
};

// What a peer said about itself in its open; only for who asked for it.
struct PeerOpen {
  std::string hostname;
  uint32_t max_frame_size = 0;
  uint16_t channel_max = 0;
  Duration idle_timeout;  // zero: none
  std::vector<std::string> offered_capabilities;
  std::vector<std::string> desired_capabilities;
  std::vector<PeerProperty> properties;
  bool cut = false;  // there was more than is kept
};

struct ConnectionState {
  enum class Phase : uint8_t { kHandshake, kOpen, kClosing };

  uint64_t id = 0;
  uint32_t worker = 0;
  Phase phase = Phase::kHandshake;
  std::string owner;  // listener or connector
  bool inbound = true;
  std::string peer;   // "127.0.0.1:40312"
  std::string local;  // "127.0.0.1:5672"
  // The peer; empty until it is open.
  std::string container_id;
  std::string user;       // empty: anonymous
  std::string mechanism;  // of SASL; empty: none
  // Empty: plaintext.
  std::string tls_profile;
  uint64_t tls_revision = 0;
  std::string tls;           // "TLSv1.3 TLS_AES_256_GCM_SHA384"
  std::string peer_subject;  // of its certificate; empty: it showed none
  Time begun;                // accepted or dialled
  Time opened = kNever;      // kNever: it is not
  Time last_received;        // a byte
  Time last_sent;            // a frame

  uint32_t sessions = 0;
  uint32_t links_in = 0;  // from producers
  uint32_t links_out = 0;
  uint64_t bytes_in = 0;  // of the socket, with TLS
  uint64_t bytes_out = 0;
  uint64_t frames_in = 0;
  uint64_t frames_out = 0;
  uint64_t output_bytes = 0;             // waiting to be written
  Time output_blocked_at = kNever;       // since then the peer takes nothing; kNever: it does
  std::shared_ptr<const PeerOpen> open;  // null: nobody asked, or it has not come
};

// Whether messages flow over a link that is attached.
enum class LinkSwitch : uint8_t { kEnabled, kDisabled };

struct LinkState {
  // What deliveries to a consumer wait for, if there are any.
  enum class Waiting : uint8_t { kNothing, kCredit, kConnection, kAttach, kDisabled };

  uint64_t number = 0;  // no other link of the router has or had it
  uint64_t connection = 0;
  uint32_t worker = 0;
  bool incoming = true;      // a producer's
  std::string name;          // by the peer; cut at 256 bytes
  std::string address;       // as the peer sees it; empty: a producer that sends anywhere
  std::string key;           // in its normal form, "M0orders"; empty: likewise
  std::string fallback_key;  // of a producer: where messages go for want of a consumer; empty: none

  uint32_t capacity = 0;          // credit that a producer has at most
  uint32_t credit = 0;            // of who sends
  Time no_credit_since = kNever;  // kNever: there is credit
  Waiting waiting = Waiting::kNothing;
  uint64_t held_bytes = 0;   // of a producer: received and not passed on
  uint32_t undelivered = 0;  // to a consumer: not sent
  uint32_t unsettled = 0;    // begun and without an end
  uint32_t stuck = 0;        // of a producer's: older than 10 s, as last looked for
  bool blocked = false;      // without credit for 10 s, likewise; not if it is disabled
  bool disabled = false;     // Router::SwitchLink

  // Since it attached.
  uint64_t deliveries = 0;  // begun
  uint64_t presettled = 0;  // of those
  uint64_t dropped = 0;     // pre-settled ones that were lost
  uint64_t accepted = 0;
  uint64_t rejected = 0;
  uint64_t released = 0;
  uint64_t modified = 0;
  uint64_t delayed_1s = 0;  // of a producer's, as in RouterCounters
  uint64_t delayed_10s = 0;
};

// What an address means: where the messages of a producer that attaches to it go, and those a
// consumer gets come from.
struct AddressResolution {
  std::string key;           // normal form for producers, "M0orders"; empty: it cannot be sent to
  std::string consumer_key;  // for consumers: differs where there are phases
  std::string fallback_key;  // where messages go for want of a consumer; empty: nowhere
  std::string setting;       // AddressSpec::name of what matches; empty: nothing does
  Distribution distribution = Distribution::kBalanced;
  bool reserved = false;  // one of the router's own: what is sent there is released
};

// What is to be looked at.
struct ObserveWish {
  bool connections = false;
  bool peer_opens = false;  // with ConnectionState::open
  bool links = false;
  uint64_t connection = 0;        // of this one alone; 0: of all
  std::vector<std::string> keys;  // of links: to these addresses alone; empty: to all
};

struct Snapshot {
  // In no order.
  std::vector<ConnectionState> connections;
  std::vector<LinkState> links;
};

// The answer to an Observe, among the router's events: all that had happened to connections before
// a worker looked at them is told before.
struct Observed {
  uint64_t request = 0;
  std::shared_ptr<const Snapshot> snapshot;
};

}  // namespace trunkline
