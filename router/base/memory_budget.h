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
    return Judge(used);
  }
  // Another limit, by which what is held may begin or end an episode at once; says so as Add does.
  Change SetLimit(uint64_t limit_bytes) {
    limit_ = limit_bytes;
    return Judge(used_.load());
  }

  // During an episode.
  bool pressed() const { return pressed_.load(std::memory_order_relaxed); }
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  uint64_t limit() const { return limit_.load(std::memory_order_relaxed); }

 private:
  Change Judge(uint64_t used) {
    const uint64_t limit = limit_.load();
    const Change change = Judge(used, limit);
    if (limit_.load() == limit) return change;
    // What was judged by a limit that went meanwhile may never be looked at again.
    const Change later = Judge(used_.load());
    return later == Change::kNone ? change : later;
  }
  Change Judge(uint64_t used, uint64_t limit) {
    if (limit != 0 && used > limit) {
      return pressed_.exchange(true) ? Change::kNone : Change::kBegun;
    }
    if (limit != 0 && used >= limit - limit / 8) return Change::kNone;
    if (!pressed_.load()) return Change::kNone;
    return pressed_.exchange(false) ? Change::kEnded : Change::kNone;
  }

  std::atomic<uint64_t> limit_;
  std::atomic<uint64_t> used_{0};
  std::atomic<bool> pressed_{false};
};

}  // namespace trunkline
