#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "router/base/time.h"

namespace trunkline {

// Deadlines of one worker, at a resolution of 1 ms: eight wheels of 64 slots, each turning 64 times
// slower than the one below it, which covers every Time. Schedule and Cancel are O(1); a timer is
// moved at most seven times before it expires.
//
// Time is virtual: nothing happens but in Advance. Timers expire in order of their millisecond;
// those of the same millisecond in the order they were scheduled.
//
// Thread: its owner's. Schedule may allocate; nothing else does.
class TimerWheel {
 public:
  // Names a timer. Stale once it has expired or was cancelled. Zero is "none".
  using Id = uint64_t;

  explicit TimerWheel(Time start = {});
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // `cookie` is given back when the deadline is reached, never before it. A deadline that has
  // passed is as good as the millisecond after the one up to which timers have expired; so a timer
  // that schedules itself for the past expires once per millisecond and cannot hold up Advance.
  Id Schedule(Time deadline, uint64_t cookie);

  // True if the timer was pending. A stale id, or none, is ignored.
  bool Cancel(Id id);

  // Expires what is due at `now`. `expired` may call Schedule and Cancel. Time does not run
  // backwards: an earlier `now` than before does nothing.
  void Advance(Time now, absl::FunctionRef<void(uint64_t cookie)> expired);

  // When to call Advance next: never after the first deadline, sometimes before it (a wheel has to
  // turn); kNever when nothing is pending.
  Time NextDeadline() const;

  size_t size() const { return size_; }

 private:
  static constexpr int kSlotBits = 6;
  static constexpr uint32_t kSlots = 1u << kSlotBits;
  static constexpr int kWheels = 8;  // 2^48 ms: more than int64 nanoseconds hold
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kNodesKept = 1024;  // while nothing is pending

  struct Node {
    uint64_t cookie = 0;
    uint64_t tick = 0;
    uint32_t serial = 0;  // upper half of the Id; zero: free
    uint32_t previous = kNone;
    uint32_t next = kNone;  // in the slot's list, or in the free list
    uint32_t slot = 0;      // index in slots_
  };
  struct List {
    uint32_t head = kNone;
    uint32_t tail = kNone;
  };
  // A slot that has something in it, and the tick at which it has to be looked at.
  struct Event {
    int wheel = kWheels;  // kWheels: none
    uint32_t slot = 0;
    uint64_t tick = 0;
  };

  Event NextEvent() const;
  void Link(uint32_t index);
  void Unlink(uint32_t index);
  void Free(uint32_t index);
  void Cascade(uint32_t slot);
  void Expire(uint32_t slot, absl::FunctionRef<void(uint64_t)> expired);

  uint64_t tick_;                             // milliseconds up to which everything has expired
  std::array<uint64_t, kWheels> occupied_{};  // one bit per slot that has timers
  std::array<List, kWheels * kSlots> slots_;
  std::vector<Node> nodes_;
  uint32_t free_ = kNone;
  uint32_t serial_ = 0;
  size_t size_ = 0;
};

}  // namespace trunkline
