#pragma once

#include <atomic>
#include <cstdint>

namespace trunkline::core {

// Deliveries queued on and unsettled by one outgoing link: the one word of it that other shards may
// read when they balance. One writer, the link's shard; relaxed readers.
class alignas(64) LinkLoad {
 public:
  void Add(int32_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  int32_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int32_t> value_{0};
};

}  // namespace trunkline::core
