#include "control/api/cutoff.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/numbers.h"
#include "router/base/thread.h"

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

// They are told by their own address, which is the listener's.
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

std::vector<int> ConnectionsBy(int listener) {
  std::vector<int> found;
  std::error_code error;
  for (std::filesystem::directory_iterator next("/proc/self/fd", error), end; !error && next != end;
       next.increment(error)) {
    int fd = -1;
    const bool is_number = absl::SimpleAtoi(next->path().filename().string(), &fd);
    if (is_number && fd != listener && CameBy(listener, fd)) found.push_back(fd);
  }
  return found;
}

size_t DescriptorsMax() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

Cutoff::Cutoff(int listener, int milliseconds)
    : listener_(listener),
      over_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this, milliseconds] { Run(milliseconds); }) {}

Cutoff::~Cutoff() {
  const uint64_t one = 1;
  (void)!::write(over_, &one, sizeof(one));
  thread_.join();
  if (over_ >= 0) ::close(over_);
}

// Without a descriptor for `over_` it waits all of its time: poll does not look at -1.
void Cutoff::Run(int milliseconds) const {
  BeginThread("api-cutoff", ThreadClass::kService);
  pollfd over{.fd = over_, .events = POLLIN, .revents = 0};
  if (::poll(&over, 1, milliseconds) != 0) return;
  // gRPC has the descriptors and closes them; a connection that is shut down it gives up.
  for (const int fd : ConnectionsBy(listener_)) (void)::shutdown(fd, SHUT_RDWR);
}

}  // namespace trunkline::api
