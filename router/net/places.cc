#include "router/net/places.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace trunkline::net {
namespace {

// Entries that a table of addresses may always have room for.
constexpr size_t kTableKept = 1024;

}  // namespace

PeerHost PeerHost::Of(const sockaddr_storage& address) {
  PeerHost host;
  if (address.ss_family == AF_INET) {
    // As an IPv4 address looks on a socket for both.
    host.bytes[10] = host.bytes[11] = 0xff;
    std::memcpy(&host.bytes[12], &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
    return host;
  }
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  std::memcpy(host.bytes.data(), &v6, IN6_IS_ADDR_V4MAPPED(&v6) ? 16 : 8);
  return host;
}

std::optional<Refusal> Places::Refuse(const ListenerSpec& listener, const PeerHost& host,
                                      InUse in_use) const {
  if (listener.max_connections != 0 && ConnectionsOf(listener.name) >= listener.max_connections) {
    return Refusal::kListenerFull;
  }
  if (router_max_ != 0 && in_use.connections >= router_max_) return Refusal::kRouterFull;
  if (in_use.sockets >= sockets_max_) return Refusal::kDescriptors;
  if (HasTooManyUnopened(listener, host)) return Refusal::kUnopened;
  return std::nullopt;
}

// What an operator says of a listener is what counts there; else nobody gets more than a share of
// its places, nor of the router's.
bool Places::HasTooManyUnopened(const ListenerSpec& listener, const PeerHost& host) const {
  const uint32_t here = UnopenedOf(listener.name, host);
  const uint32_t said = listener.max_unopened_per_address;
  if (said != 0) return here >= said;
  const uint32_t most = listener.max_connections;
  if (most != 0 && here >= ShareOf(most)) return true;
  return Find(unopened_, host) >= ShareOf(PlacesOfRouter());
}

uint64_t Places::PlacesOfRouter() const {
  return router_max_ == 0 ? sockets_max_ : std::min<uint64_t>(router_max_, sockets_max_);
}

uint64_t Places::ShareOf(uint64_t places) { return std::max<uint64_t>(places / 2, kUnopenedMin); }

void Places::Enter(const std::string& listener, const PeerHost& host) {
  Listener& at = listeners_[listener];
  ++at.connections;
  ++at.unopened[host];
  ++unopened_[host];
}

void Places::Open(const std::string& listener, const PeerHost& host) {
  const auto at = listeners_.find(listener);
  if (at == listeners_.end()) return;
  Remove(at->second.unopened, host);
  Remove(unopened_, host);
}

void Places::Leave(const std::string& listener, const PeerHost& host, bool was_open) {
  if (!was_open) Open(listener, host);
  const auto at = listeners_.find(listener);
  if (at != listeners_.end() && --at->second.connections == 0) listeners_.erase(at);
}

uint32_t Places::ConnectionsOf(const std::string& listener) const {
  const auto at = listeners_.find(listener);
  return at == listeners_.end() ? 0 : at->second.connections;
}

uint32_t Places::UnopenedOf(const std::string& listener, const PeerHost& host) const {
  const auto at = listeners_.find(listener);
  return at == listeners_.end() ? 0 : Find(at->second.unopened, host);
}

uint32_t Places::Find(const Unopened& unopened, const PeerHost& host) {
  const auto found = unopened.find(host);
  return found == unopened.end() ? 0 : found->second;
}

void Places::Remove(Unopened& unopened, const PeerHost& host) {
  const auto found = unopened.find(host);
  if (found == unopened.end() || --found->second > 0) return;
  unopened.erase(found);
  // After a crowd has left, its table goes too.
  if (unopened.capacity() > kTableKept && unopened.size() < unopened.capacity() / 8) {
    unopened.rehash(0);
  }
}

}  // namespace trunkline::net
