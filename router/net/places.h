#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "router/specs.h"

struct sockaddr_storage;

namespace trunkline::net {

// Who connects, as far as it is counted: an IPv4 address, or the first 64 bits of an IPv6 address,
// as every IPv6 host has all the others of these to itself.
struct PeerHost {
  std::array<uint8_t, 16> bytes{};

  static PeerHost Of(const sockaddr_storage& address);

  bool operator==(const PeerHost&) const = default;
  template <typename H>
  friend H AbslHashValue(H hash, const PeerHost& host) {
    return H::combine(std::move(hash), host.bytes);
  }
};

// Why somebody was closed as soon as accepted.
enum class Refusal : uint8_t {
  kListenerFull,  // its max_connections
  kRouterFull,    // the router's max_connections
  kUnopened,      // too many connections of one address that are not open
  kDescriptors,   // 95 % of the process's descriptors are in use
  kSystem,        // the process had no descriptor left to accept with
};
inline constexpr size_t kRefusals = 5;

// The places for connections, who has them, and whether one more may. A connection that is not open
// yet may stay that way as long as the handshake may take, so one address gets at most half of the
// places for such: a host that connects and says nothing does not keep the others out.
//
// Pure bookkeeping, of connections that were accepted. Owned by the Pilot's Admission.
class Places {
 public:
  // Of one address, whatever half of the places is.
  static constexpr uint32_t kUnopenedMin = 16;

  // `router_max`: the router's max_connections; 0: none. `sockets_max`: what descriptors allow.
  Places(uint32_t router_max, uint64_t sockets_max)
      : router_max_(router_max), sockets_max_(sockets_max) {}

  // Counts for those that come; who has a place keeps it.
  void SetRouterMax(uint32_t router_max) { router_max_ = router_max; }

  // What the router has, accepted or dialled.
  struct InUse {
    uint64_t connections = 0;
    uint64_t sockets = 0;  // also of those that are on their way out
  };
  // Why `host` gets no place; nothing: it may Enter.
  std::optional<Refusal> Refuse(const ListenerSpec& listener, const PeerHost& host,
                                InUse in_use) const;

  // The life of one connection: Enter, Open if it gets so far, Leave.
  void Enter(const std::string& listener, const PeerHost& host);
  void Open(const std::string& listener, const PeerHost& host);
  void Leave(const std::string& listener, const PeerHost& host, bool was_open);

  // Of `listener`, for tests and people.
  uint32_t ConnectionsOf(const std::string& listener) const;
  uint32_t UnopenedOf(const std::string& listener, const PeerHost& host) const;

 private:
  using Unopened = absl::flat_hash_map<PeerHost, uint32_t>;
  struct Listener {
    uint32_t connections = 0;
    Unopened unopened;
  };

  bool HasTooManyUnopened(const ListenerSpec& listener, const PeerHost& host) const;
  uint64_t PlacesOfRouter() const;
  static uint64_t ShareOf(uint64_t places);
  static uint32_t Find(const Unopened& unopened, const PeerHost& host);
  static void Remove(Unopened& unopened, const PeerHost& host);

  uint32_t router_max_;
  const uint64_t sockets_max_;
  absl::flat_hash_map<std::string, Listener> listeners_;  // those that have connections
  Unopened unopened_;                                     // of all listeners
};

}  // namespace trunkline::net
