#pragma once

#include <atomic>
#include <cstdint>

namespace trunkline {

// Bytes of messages that a process may hold, shared by its workers. Above the limit no producer is
// given credit any more, until what is held has fallen below 7/8 of it: an episode.
//
// What is counted lags behind by a turn of each worker, and what producers may send with the credit
// they have comes on top: the limit is where to stop asking for more, not where memory ends.
//
// Thread: any.
class MemoryBudget {
 public:
  // 0: no limit.
  explicit MemoryBudget(uint64_t limit_bytes) : limit_(limit_bytes) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  enum class Change { kNone, kBegun, kEnded };
  // So many bytes more (or less) are held. Says whether that began or ended an episode: of callers
  // that do so at once, to one.
  Change Add(int64_t bytes) {
    const uint64_t used =
        used_.fetch_add(static_cast<uint64_t>(bytes)) + static_cast<uint64_t>(bytes);
    if (limit_ == 0) return Change::kNone;
    if (used > limit_) return pressed_.exchange(true) ? Change::kNone : Change::kBegun;
    if (used >= limit_ - limit_ / 8 || !pressed_.load()) return Change::kNone;
    return pressed_.exchange(false) ? Change::kEnded : Change::kNone;
  }

  // During an episode.
  bool pressed() const { return pressed_.load(std::memory_order_relaxed); }
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  uint64_t limit() const { return limit_; }

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> used_{0};
  std::atomic<bool> pressed_{false};
};

}  // namespace trunkline
