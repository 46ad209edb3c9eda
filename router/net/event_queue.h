#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "router/observe.h"

namespace trunkline::net {

// What happened, on its way from the pilot to control. Bound: `events_max`; connections that come
// and go, or fail to come, while control does not listen are then not told one by one: EventsLost,
// behind those that were kept, says how many they are.
//
// Thread: any. The lock is held for a few instructions.
class EventQueue {
 public:
  explicit EventQueue(size_t events_max) : events_max_(events_max) {}

  // True if the queue was empty: control has to be woken.
  bool Push(RouterEvent event) {
    const Guard guard(lock_);
    if (events_.size() >= events_max_ && IsAboutConnection(event)) {
      ++lost_;
      return false;
    }
    events_.push_back(std::move(event));
    return events_.size() == 1;
  }

  std::vector<RouterEvent> Take() {
    const Guard guard(lock_);
    if (lost_ > 0) events_.push_back(EventsLost{std::exchange(lost_, 0)});
    return std::exchange(events_, {});
  }

 private:
  // The standard mutex, known to clang's analysis; abseil's is invisible to a race detector that
  // its library was not built with.
  class ABSL_LOCKABLE Lock {
   public:
    void Acquire() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
    void Release() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

   private:
    std::mutex mutex_;
  };
  class ABSL_SCOPED_LOCKABLE Guard {
   public:
    explicit Guard(Lock& lock) ABSL_EXCLUSIVE_LOCK_FUNCTION(lock) : lock_(lock) { lock_.Acquire(); }
    ~Guard() ABSL_UNLOCK_FUNCTION() { lock_.Release(); }

   private:
    Lock& lock_;
  };

  static bool IsAboutConnection(const RouterEvent& event) {
    return std::holds_alternative<ConnectionUp>(event) ||
           std::holds_alternative<ConnectionDown>(event) ||
           std::holds_alternative<ConnectorFailed>(event);
  }

  const size_t events_max_;
  Lock lock_;
  std::vector<RouterEvent> events_ ABSL_GUARDED_BY(lock_);
  uint64_t lost_ ABSL_GUARDED_BY(lock_) = 0;
};

}  // namespace trunkline::net
