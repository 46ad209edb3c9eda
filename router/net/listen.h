#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "router/net/descriptor.h"

namespace trunkline::net {

// "127.0.0.1:5672", "[::1]:5672"; an IPv4 address in IPv6 clothes is written as what it is.
std::string AddressText(const sockaddr_storage& address);
uint16_t PortOf(const sockaddr_storage& address);

// Where to listen: one address, or all of them on one dual-stack socket.
struct ListenAddress {
  sockaddr_storage address{};
  bool dual_stack = false;  // IPv6 socket that takes IPv4 too
};

// Whether one of them leaves no room for the other. That all IPv6 addresses may be none of IPv4 is
// not looked at.
bool Collide(const ListenAddress& a, const ListenAddress& b);

// A socket that listens.
struct Bound {
  Descriptor fd;
  ListenAddress where;  // with the port it really has
  std::string address;  // as text
};

// Asks those in the way of an address to leave theirs; true if one did.
using MakeRoom = std::function<bool(const ListenAddress& where)>;

// Binds and listens on all addresses, or on none. Port 0 is resolved by the first and shared by the
// rest. An address that this host does not have is left out as long as another one is there;
// for one that is in use `make_room` is asked, if there is such, before it is tried once more.
// FailedPrecondition: "cannot listen on HOST:PORT: Address already in use"; `place` is HOST:PORT.
absl::StatusOr<std::vector<Bound>> Listen(std::vector<ListenAddress> addresses,
                                          const std::string& place, const MakeRoom& make_room = {});

}  // namespace trunkline::net
