#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "router/base/counter.h"
#include "router/net/log_quota.h"
#include "router/net/places.h"

namespace trunkline::net {

// Who comes in. Those for whom there is no place are closed at once, counted by why, and logged
// once per second at most. Descriptors that connections do not get are left for what keeps the
// process going: files, resolver, control.
//
// Raises the process's soft limit of descriptors to the hard one. Owned by the Pilot. Thread: the
// pilot's; the counters are for anyone.
class Admission {
 public:
  // `router_max`: the router's max_connections; 0: none.
  Admission(boost::asio::io_context& io, uint32_t router_max);
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // Of those that come from here on.
  void SetRouterMax(uint32_t router_max) { places_.SetRouterMax(router_max); }

  // Nothing: the peer has a place, until Leave. Else why it has none: close its socket.
  std::optional<Refusal> Refuse(const ListenerSpec& listener, const sockaddr_storage& peer,
                                Places::InUse in_use);
  // One was closed since there was no descriptor to accept it with.
  void TurnedAway();
  void Open(const std::string& listener, const PeerHost& host) { places_.Open(listener, host); }
  void Leave(const std::string& listener, const PeerHost& host, bool was_open) {
    places_.Leave(listener, host, was_open);
  }

  uint64_t refused(Refusal why) const { return refused_[static_cast<size_t>(why)].Get(); }

 private:
  void Note(Refusal why, const std::string& listener, const std::string& peer);

  Places places_;
  std::array<Counter, kRefusals> refused_;
  LogQuota quota_;
};

// Of `descriptors` that a process may have, those for connections: 95 % less what the process needs
// for itself.
uint64_t SocketsFor(uint64_t descriptors);

}  // namespace trunkline::net
