#pragma once

#include <atomic>
#include <cstdint>

namespace trunkline {

// Counts events on the data path. One writer, the thread that owns the object around it; any thread
// may read. Costs an ordinary addition: there is no read-modify-write instruction in it.
//
// Invariant: never decreases (it wraps after 2^64).
class Counter {
 public:
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace trunkline
