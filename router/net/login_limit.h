#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "router/base/time.h"

namespace trunkline::net {

// How many logins of one peer address may fail: kBurst at once, then one per kRefill. Beyond that
// its logins are refused, before a password is looked at.
//
// Bound: kAddressesMax addresses are remembered. When there are more, those go first that may fail
// kBurst times again anyway, then the one that has been quiet for longest.
//
// Thread: the owner's, one at a time.
class LoginLimit {
 public:
  static constexpr int kBurst = 10;
  static constexpr Duration kRefill = Seconds(1);
  static constexpr size_t kAddressesMax = 4096;

  // Whether `address` may try.
  bool Allows(const std::string& address, Time now) const;
  // One of its logins has failed.
  void Failed(const std::string& address, Time now);
  size_t size() const { return debts_.size(); }

 private:
  void MakeRoom(Time now);

  // For each address, when all its failures are forgotten: each puts that off by kRefill.
  absl::flat_hash_map<std::string, Time> debts_;
};

// What stands for the host of `peer`, "127.0.0.1:40312" or "[2001:db8::1]:40312": its IPv4 address;
// of IPv6 the network, the first 64 bits, as a host has all addresses of it.
std::string HostOf(std::string_view peer);

}  // namespace trunkline::net
