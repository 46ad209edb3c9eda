#include "control/api/descriptors.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

#include "absl/strings/numbers.h"

namespace trunkline::api {
namespace {

// Of a socket's own address; 0: it is no TCP socket.
uint16_t PortIn(const sockaddr_storage& address) {
  switch (address.ss_family) {
    case AF_INET:
      return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
    case AF_INET6:
      return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
    default:
      return 0;
  }
}

bool CameBy(int listener, int fd) {
  sockaddr_storage ours{};
  sockaddr_storage its{};
  socklen_t our_size = sizeof(ours);
  socklen_t its_size = sizeof(its);
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&ours), &our_size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&its), &its_size) != 0 ||
      ours.ss_family != its.ss_family) {
    return false;
  }
  if (ours.ss_family != AF_UNIX) return PortIn(ours) == PortIn(its);
  return our_size == its_size && ::memcmp(&ours, &its, our_size) == 0;
}

}  // namespace

absl::StatusOr<Descriptors> Descriptors::Open() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return absl::ErrnoToStatus(errno, "/proc/self/fd");
  return Descriptors(folder);
}

std::vector<int> Descriptors::ConnectionsBy(int listener) const {
  std::vector<int> found;
  ::rewinddir(folder_.get());
  while (const dirent* each = ::readdir(folder_.get())) {
    int fd = -1;  // "." and ".." are no numbers
    if (absl::SimpleAtoi(each->d_name, &fd) && fd != listener && CameBy(listener, fd)) {
      found.push_back(fd);
    }
  }
  return found;
}

size_t Descriptors::Max() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

}  // namespace trunkline::api
