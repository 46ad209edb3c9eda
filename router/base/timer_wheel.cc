#include "router/base/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "router/base/check.h"

namespace trunkline {
namespace {

// The last millisecond that has begun at `time`.
uint64_t TickAt(Time time) {
  return static_cast<uint64_t>(std::max<int64_t>(time.ns, 0)) / 1'000'000;
}

// The first millisecond that is not before `time`.
uint64_t TickNotBefore(Time time) {
  const uint64_t ns = static_cast<uint64_t>(std::max<int64_t>(time.ns, 0));
  return ns / 1'000'000 + (ns % 1'000'000 != 0);
}

}  // namespace

TimerWheel::TimerWheel(Time start) : tick_(TickAt(start)) {}

TimerWheel::Id TimerWheel::Schedule(Time deadline, uint64_t cookie) {
  if (free_ == kNone) {
    free_ = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back();
  }
  const uint32_t index = free_;
  Node& node = nodes_[index];
  free_ = node.next;
  if (++serial_ == 0) ++serial_;
  node.serial = serial_;
  node.cookie = cookie;
  node.tick = std::max(TickNotBefore(deadline), tick_ + 1);
  Link(index);
  ++size_;
  return uint64_t{node.serial} << 32 | index;
}

bool TimerWheel::Cancel(Id id) {
  const uint32_t index = static_cast<uint32_t>(id);
  const uint32_t serial = static_cast<uint32_t>(id >> 32);
  if (serial == 0 || index >= nodes_.size() || nodes_[index].serial != serial) return false;
  Unlink(index);
  Free(index);
  return true;
}

void TimerWheel::Advance(Time now, absl::FunctionRef<void(uint64_t cookie)> expired) {
  const uint64_t target = TickAt(now);
  if (target <= tick_) return;
  for (Event event = NextEvent(); event.wheel < kWheels && event.tick <= target;
       event = NextEvent()) {
    tick_ = event.tick;
    if (event.wheel > 0) Cascade(event.slot);
    Expire(tick_ & (kSlots - 1), expired);
  }
  tick_ = target;
  if (size_ == 0 && nodes_.capacity() > kNodesKept) {
    nodes_ = {};
    free_ = kNone;
  }
}

Time TimerWheel::NextDeadline() const {
  const Event event = NextEvent();
  if (event.wheel == kWheels) return kNever;
  constexpr uint64_t kTickMax = static_cast<uint64_t>(kNever.ns) / 1'000'000;
  if (event.tick > kTickMax) return kNever;
  return {static_cast<int64_t>(event.tick * 1'000'000)};
}

// All timers of a wheel lie within the current turn of it, ahead of its hand, and before those of
// the next wheel. So the lowest bit of the lowest wheel that has one is the next event.
TimerWheel::Event TimerWheel::NextEvent() const {
  for (int wheel = 0; wheel < kWheels; ++wheel) {
    if (occupied_[wheel] == 0) continue;
    const uint32_t position = static_cast<uint32_t>(std::countr_zero(occupied_[wheel]));
    const int shift = wheel * kSlotBits;
    const uint64_t turn = tick_ >> (shift + kSlotBits) << (shift + kSlotBits);
    return {wheel, static_cast<uint32_t>(wheel) * kSlots + position,
            turn | uint64_t{position} << shift};
  }
  return {};
}

// The wheel is that of the highest digit (base 64) in which the timer's tick differs from now; no
// difference: due now, which is only so while a slot cascades.
void TimerWheel::Link(uint32_t index) {
  Node& node = nodes_[index];
  const uint64_t difference = node.tick ^ tick_;
  const int wheel = difference == 0 ? 0 : (std::bit_width(difference) - 1) / kSlotBits;
  TL_DCHECK(wheel < kWheels);
  const uint32_t position = node.tick >> (wheel * kSlotBits) & (kSlots - 1);
  node.slot = static_cast<uint32_t>(wheel) * kSlots + position;
  List& list = slots_[node.slot];
  node.previous = list.tail;
  node.next = kNone;
  (list.tail == kNone ? list.head : nodes_[list.tail].next) = index;
  list.tail = index;
  occupied_[wheel] |= uint64_t{1} << position;
}

void TimerWheel::Unlink(uint32_t index) {
  const Node& node = nodes_[index];
  List& list = slots_[node.slot];
  (node.previous == kNone ? list.head : nodes_[node.previous].next) = node.next;
  (node.next == kNone ? list.tail : nodes_[node.next].previous) = node.previous;
  if (list.head == kNone) {
    occupied_[node.slot / kSlots] &= ~(uint64_t{1} << (node.slot & (kSlots - 1)));
  }
}

void TimerWheel::Free(uint32_t index) {
  nodes_[index].serial = 0;
  nodes_[index].next = free_;
  free_ = index;
  --size_;
}

// Moves the timers of a slot whose time has come to the wheels below, in order.
void TimerWheel::Cascade(uint32_t slot) {
  while (slots_[slot].head != kNone) {
    const uint32_t index = slots_[slot].head;
    Unlink(index);
    Link(index);
  }
}

// Only heads are taken, so `expired` may cancel any other timer of the slot.
void TimerWheel::Expire(uint32_t slot, absl::FunctionRef<void(uint64_t)> expired) {
  while (slots_[slot].head != kNone) {
    const uint32_t index = slots_[slot].head;
    const uint64_t cookie = nodes_[index].cookie;
    Unlink(index);
    Free(index);
    expired(cookie);
  }
}

}  // namespace trunkline
