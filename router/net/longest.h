#pragma once

#include <atomic>
#include <cstdint>

#include "router/base/time.h"

namespace trunkline::net {

// The longest of the times that one thread noted since the last Restart.
//
// Thread: Note is for that one, the rest for any. What is noted while a reader restarts may count
// for before or after.
class Longest {
 public:
  void Note(Duration duration) {
    const uint32_t wanted = wanted_.load(std::memory_order_relaxed);
    if (wanted != generation_.load(std::memory_order_relaxed)) {
      longest_.store(duration.ns, std::memory_order_relaxed);
      generation_.store(wanted, std::memory_order_release);
    } else if (duration.ns > longest_.load(std::memory_order_relaxed)) {
      longest_.store(duration.ns, std::memory_order_relaxed);
    }
  }

  // Zero: nothing was noted.
  Duration Get() const {
    const bool current = generation_.load(std::memory_order_acquire) == wanted_.load();
    return {current ? longest_.load(std::memory_order_relaxed) : 0};
  }
  void Restart() { wanted_.fetch_add(1); }

 private:
  std::atomic<int64_t> longest_{0};
  std::atomic<uint32_t> generation_{0};  // of what longest_ says
  std::atomic<uint32_t> wanted_{0};
};

}  // namespace trunkline::net
