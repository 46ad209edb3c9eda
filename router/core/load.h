#pragma once

#include <atomic>
#include <cstdint>

namespace trunkline::core {

// Deliveries queued on and unsettled by one outgoing link, for other shards that balance. One
// writer, the link's shard; relaxed readers. Besides, those that are in the mail to it: counted by
// whoever sends one, and down again by the link's shard when it has it.
class alignas(64) LinkLoad {
 public:
  void Add(int32_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  int32_t Get() const { return value_.load(std::memory_order_relaxed); }

  // Thread: any.
  void AddMailed(int32_t n) const { mailed_.fetch_add(n, std::memory_order_relaxed); }
  int32_t mailed() const { return mailed_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int32_t> value_{0};
  mutable std::atomic<int32_t> mailed_{0};
};

}  // namespace trunkline::core
