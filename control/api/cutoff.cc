#include "control/api/cutoff.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

#include "router/base/thread.h"

namespace trunkline::api {

Cutoff::Cutoff(const Descriptors& descriptors, int listener, int milliseconds)
    : descriptors_(descriptors),
      listener_(listener),
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
  for (const int fd : descriptors_.ConnectionsBy(listener_)) (void)::shutdown(fd, SHUT_RDWR);
}

}  // namespace trunkline::api
