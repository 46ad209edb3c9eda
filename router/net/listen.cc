#include "router/net/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace trunkline::net {
namespace {

// The kernel cuts it to net.core.somaxconn.
constexpr int kBacklog = 4096;

void SetPort(sockaddr_storage& address, uint16_t port) {
  if (address.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(port);
  }
}

socklen_t SizeOf(const sockaddr_storage& address) {
  return address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

// An invalid descriptor says why in errno.
Descriptor Open(const ListenAddress& where) {
  const sockaddr_storage& address = where.address;
  Descriptor fd(socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return {};
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.ss_family == AF_INET6) {
    const int only = where.dual_stack ? 0 : 1;
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), SizeOf(address)) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    const int error = errno;
    fd.Reset();
    errno = error;
  }
  return fd;
}

// Names may stand for the same address twice; binding it again would fail.
void RemoveRepeated(std::vector<ListenAddress>& addresses) {
  std::vector<ListenAddress> once;
  for (const ListenAddress& where : addresses) {
    const bool repeated = std::any_of(once.begin(), once.end(), [&](const ListenAddress& other) {
      return std::memcmp(&other.address, &where.address, sizeof where.address) == 0;
    });
    if (!repeated) once.push_back(where);
  }
  addresses = std::move(once);
}

bool IsAny(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) {
    return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  }
  return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr == INADDR_ANY;
}

bool IsAbsentHere(int error) { return error == EADDRNOTAVAIL || error == EAFNOSUPPORT; }

}  // namespace

uint16_t PortOf(const sockaddr_storage& address) {
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

std::string AddressText(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
    return absl::StrCat(text, ":", PortOf(address));
  }
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    inet_ntop(AF_INET, &v6.s6_addr[12], text, sizeof text);
    return absl::StrCat(text, ":", PortOf(address));
  }
  inet_ntop(AF_INET6, &v6, text, sizeof text);
  return absl::StrCat("[", text, "]:", PortOf(address));
}

bool Collide(const ListenAddress& a, const ListenAddress& b) {
  if (PortOf(a.address) != PortOf(b.address)) return false;
  return IsAny(a.address) || IsAny(b.address) || AddressText(a.address) == AddressText(b.address);
}

absl::StatusOr<std::vector<Bound>> Listen(std::vector<ListenAddress> addresses,
                                          const std::string& place, const MakeRoom& make_room) {
  RemoveRepeated(addresses);
  std::vector<Bound> bound;
  int error = EADDRNOTAVAIL;
  for (ListenAddress& where : addresses) {
    Descriptor fd = Open(where);
    if (!fd && errno == EADDRINUSE && make_room && make_room(where)) fd = Open(where);
    if (!fd) {
      error = errno;
      if (IsAbsentHere(error)) continue;
      bound.clear();
      break;
    }
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size);
    for (ListenAddress& other : addresses) SetPort(other.address, PortOf(name));
    bound.push_back({std::move(fd), where, AddressText(name)});
  }
  if (bound.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot listen on ", place, ": ", strerrordesc_np(error)));
  }
  return bound;
}

}  // namespace trunkline::net
