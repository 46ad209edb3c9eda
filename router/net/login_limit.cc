#include "router/net/login_limit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "absl/container/flat_hash_map.h"

namespace trunkline::net {

bool LoginLimit::Allows(const std::string& address, Time now) const {
  const auto found = debts_.find(address);
  return found == debts_.end() || found->second <= now + kRefill * (kBurst - 1);
}

void LoginLimit::Failed(const std::string& address, Time now) {
  const auto found = debts_.find(address);
  if (found != debts_.end()) {
    // What was begun before the limit was reached may still fail; it adds nothing.
    const Time full = now + kRefill * kBurst;
    found->second = std::min(std::max(found->second, now) + kRefill, full);
    return;
  }
  if (debts_.size() >= kAddressesMax) MakeRoom(now);
  debts_[address] = now + kRefill;
}

void LoginLimit::MakeRoom(Time now) {
  absl::erase_if(debts_, [now](const auto& entry) { return entry.second <= now; });
  if (debts_.size() < kAddressesMax) return;
  const auto least =
      std::min_element(debts_.begin(), debts_.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  debts_.erase(least);
}

std::string HostOf(std::string_view peer) {
  const size_t colon = peer.rfind(':');
  std::string host(peer.substr(0, colon));
  if (!host.starts_with('[') || !host.ends_with(']')) return host;
  host = host.substr(1, host.size() - 2);
  in6_addr address;
  if (::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &address) != 1) return host;
  if (IN6_IS_ADDR_V4MAPPED(&address)) return host;
  std::memset(&address.s6_addr[8], 0, 8);
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(AF_INET6, &address, text, sizeof text);
}

}  // namespace trunkline::net
