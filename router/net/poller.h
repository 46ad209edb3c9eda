#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>

#include "absl/types/span.h"
#include "router/base/time.h"
#include "router/net/descriptor.h"

namespace trunkline::net {

// Epoll with an eventfd, and the protocol by which a thread goes to sleep without missing what
// others put down for it:
//
//   sleeper                                   poster
//   1. sleeping.exchange(true)                1. put the thing down (dirty word, slot)
//   2. look again: anything put down?         2. if sleeping, and sleeping.exchange(false):
//   3. epoll_wait; at once if there was             write the eventfd
//   4. sleeping.exchange(false)
//
// All of these are seq_cst, so they have one order: if the poster's look at the flag comes before
// the sleeper's 1, what it put down comes before the sleeper's second look, which sees it; if it
// comes after, the poster sees the flag and writes. Both may happen, which costs an empty turn. A
// poster whose peer is awake makes no system call and takes no cache line from it.
//
// Thread: the sleeper's; Wake is called by any.
class Poller {
 public:
  Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // `data` comes back in the events; it must not be 0. False: the kernel refused (out of memory or
  // of watches).
  bool Add(int fd, uint32_t events, uint64_t data);
  void Remove(int fd);

  // Waits for at most `patience` and returns how many of `events` were filled; a wake-up is none of
  // them. `look_again` says whether something was put down for this thread.
  template <typename LookAgain>
  int Wait(absl::Span<epoll_event> events, Duration patience, LookAgain look_again) {
    if (patience <= Duration{}) return Poll(events, Duration{});
    sleeping_.exchange(true);
    const int n = Poll(events, look_again() ? Duration{} : patience);
    sleeping_.exchange(false);
    return n;
  }

  // Call after the thing was put down, by a seq_cst write. True if the thread slept. Any thread.
  bool Wake();

 private:
  int Poll(absl::Span<epoll_event> events, Duration patience);
  int WithoutWakeUp(absl::Span<epoll_event> events, int n);

  Descriptor epoll_;
  Descriptor event_;
  alignas(64) std::atomic<bool> sleeping_{false};
};

}  // namespace trunkline::net
