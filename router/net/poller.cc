#include "router/net/poller.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>

#include "router/base/check.h"

namespace trunkline::net {
namespace {

// Marks the eventfd among the events. It is edge-triggered: each write wakes once, and nobody reads
// what has added up.
constexpr uint64_t kWakeUp = 0;
// Longest single wait: epoll counts milliseconds in an int.
constexpr Duration kPatienceMax = kMinute;

}  // namespace

Poller::Poller()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  TL_CHECK(epoll_ && event_) << "no descriptors for a poller, errno " << errno;
  TL_CHECK(Add(event_.get(), EPOLLIN | EPOLLET, kWakeUp))
      << "cannot watch the eventfd, errno " << errno;
}

bool Poller::Add(int fd, uint32_t events, uint64_t data) {
  epoll_event event{.events = events, .data = {.u64 = data}};
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::Remove(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

int Poller::Poll(absl::Span<epoll_event> events, Duration patience) {
  // Rounded up: a deadline that is less than a millisecond away must not turn into a busy loop.
  const Duration wait = std::min(patience, kPatienceMax);
  const int milliseconds = static_cast<int>((wait.ns + kMillisecond.ns - 1) / kMillisecond.ns);
  const int n =
      epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), milliseconds);
  if (n < 0) {
    TL_CHECK(errno == EINTR) << "epoll_wait: errno " << errno;
    return 0;
  }
  return WithoutWakeUp(events, n);
}

int Poller::WithoutWakeUp(absl::Span<epoll_event> events, int n) {
  for (int i = 0; i < n; ++i) {
    if (events[i].data.u64 != kWakeUp) continue;
    events[i] = events[n - 1];
    return n - 1;
  }
  return n;
}

bool Poller::Wake() {
  if (!sleeping_.load() || !sleeping_.exchange(false)) return false;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t size = write(event_.get(), &one, sizeof one);
  return true;
}

}  // namespace trunkline::net
