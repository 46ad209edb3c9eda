#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "router/base/check.h"

namespace trunkline {

// Bounded queue from one producer thread to one consumer thread, without locks. At the bound a push
// is refused and the caller keeps its value: what to do then is the caller's decision.
//
// Each side keeps a copy of the other's index and looks at the real one only when the copy says
// "full" or "empty", so that a busy ring moves few cache lines between the cores.
//
// A push is sequentially consistent with Empty(): a consumer that announces (seq_cst) that it goes
// to sleep and then finds the ring empty will be seen asleep by the next producer.
//
// Thread: as said at each method. Memory is allocated once, at construction, and not touched before
// it is used.
template <typename T>
class SpscRing {
 public:
  // `capacity` is rounded up to a power of two.
  explicit SpscRing(size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1),
        cells_(std::make_unique_for_overwrite<Cell[]>(mask_ + 1)) {
    TL_CHECK(capacity > 0) << "a ring without room";
  }
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;
  ~SpscRing() {
    while (Front() != nullptr) Pop();
  }

  size_t capacity() const { return mask_ + 1; }

  // --- producer

  // False when full; `args` are then untouched.
  template <typename... Args>
  bool TryEmplace(Args&&... args) {
    return TryEmplaceAs<std::memory_order_seq_cst>(std::forward<Args>(args)...);
  }
  bool TryPush(T&& value) { return TryEmplace(std::move(value)); }
  bool TryPush(const T& value) { return TryEmplace(value); }
  // Without that consistency, for less: for a producer that tells its consumer by other means.
  bool TryPushUnannounced(T&& value) {
    return TryEmplaceAs<std::memory_order_release>(std::move(value));
  }

  // --- consumer

  // The oldest element, or null. It stays until Pop.
  T* Front() {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return nullptr;
    }
    return cells_[head & mask_].value();
  }
  // REQUIRES: not empty.
  void Pop() {
    T* front = Front();
    TL_DCHECK(front != nullptr);
    front->~T();
    head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  // Moves the oldest element into `value`; false when there is none.
  bool TryPop(T& value) {
    T* front = Front();
    if (front == nullptr) return false;
    value = std::move(*front);
    Pop();
    return true;
  }

  // --- consumer; other threads get an answer that may be out of date
  bool Empty() const {
    return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_seq_cst);
  }

 private:
  struct Cell {
    alignas(T) unsigned char bytes[sizeof(T)];
    T* value() { return std::launder(reinterpret_cast<T*>(bytes)); }
  };
  static constexpr size_t kCacheLine = 64;

  template <std::memory_order kOrder, typename... Args>
  bool TryEmplaceAs(Args&&... args) {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ > mask_) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ > mask_) return false;
    }
    new (cells_[tail & mask_].bytes) T(std::forward<Args>(args)...);
    tail_.store(tail + 1, kOrder);
    return true;
  }

  const size_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(kCacheLine) std::atomic<size_t> head_{0};  // next to pop; written by the consumer
  size_t tail_seen_ = 0;                             // consumer's
  alignas(kCacheLine) std::atomic<size_t> tail_{0};  // next to push; written by the producer
  size_t head_seen_ = 0;                             // producer's
};

}  // namespace trunkline
