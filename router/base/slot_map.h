#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "router/base/check.h"

namespace trunkline {

// Names an element of a SlotMap<T>. Goes stale when the element is erased, never dangles. The
// packed form crosses layers that do not know T. Zero is "none".
template <typename T>
struct Handle {
  uint32_t index = 0;
  uint32_t generation = 0;  // of a live element: odd

  bool operator==(const Handle&) const = default;
  explicit operator bool() const { return generation != 0; }
  uint64_t Pack() const { return uint64_t{generation} << 32 | index; }
  static Handle Unpack(uint64_t packed) {
    return {static_cast<uint32_t>(packed), static_cast<uint32_t>(packed >> 32)};
  }
};

// Owner of elements that others name by Handle. Elements never move; erased slots are used again
// first in, first out, with a new generation, so a stale handle is found stale for 2^31 uses of its
// slot.
//
// Thread: its owner's. Insert may allocate; Find and Erase never do.
template <typename T>
class SlotMap {
 public:
  SlotMap() = default;
  SlotMap(const SlotMap&) = delete;
  SlotMap& operator=(const SlotMap&) = delete;
  ~SlotMap() {
    ForEach([](Handle<T>, T& value) { value.~T(); });
  }

  template <typename... Args>
  Handle<T> Insert(Args&&... args) {
    if (free_head_ == kNone) Grow();
    const uint32_t index = free_head_;
    Slot& slot = At(index);
    free_head_ = slot.next_free;
    if (free_head_ == kNone) free_tail_ = kNone;
    new (slot.storage) T(std::forward<Args>(args)...);
    ++slot.generation;
    ++size_;
    return {index, slot.generation};
  }

  // The element, or null when the handle is stale or none.
  T* Find(Handle<T> handle) {
    if (handle.index >= capacity_) return nullptr;
    Slot& slot = At(handle.index);
    return slot.generation == handle.generation && (handle.generation & 1) ? slot.value() : nullptr;
  }
  const T* Find(Handle<T> handle) const { return const_cast<SlotMap*>(this)->Find(handle); }

  // REQUIRES: the handle is live.
  T& Get(Handle<T> handle) {
    T* value = Find(handle);
    TL_DCHECK(value != nullptr);
    return *value;
  }

  // True if the handle was live.
  bool Erase(Handle<T> handle) {
    T* value = Find(handle);
    if (value == nullptr) return false;
    value->~T();
    Slot& slot = At(handle.index);
    ++slot.generation;
    slot.next_free = kNone;
    if (free_tail_ == kNone) {
      free_head_ = handle.index;
    } else {
      At(free_tail_).next_free = handle.index;
    }
    free_tail_ = handle.index;
    --size_;
    return true;
  }

  size_t size() const { return size_; }

  // In slot order. `visit` may erase the element it is given, and no other.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (uint32_t i = 0; i < capacity_; ++i) {
      Slot& slot = At(i);
      if (slot.generation & 1) visit(Handle<T>{i, slot.generation}, *slot.value());
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kChunkBits = 6;
  static constexpr uint32_t kChunk = 1u << kChunkBits;

  struct Slot {
    uint32_t generation = 0;  // even: free
    uint32_t next_free = kNone;
    alignas(T) unsigned char storage[sizeof(T)];
    T* value() { return std::launder(reinterpret_cast<T*>(storage)); }
  };

  Slot& At(uint32_t index) { return chunks_[index >> kChunkBits][index & (kChunk - 1)]; }

  void Grow() {
    chunks_.push_back(std::make_unique<Slot[]>(kChunk));
    for (uint32_t i = 0; i < kChunk; ++i) {
      chunks_.back()[i].next_free = i + 1 < kChunk ? capacity_ + i + 1 : kNone;
    }
    free_head_ = capacity_;
    capacity_ += kChunk;
    free_tail_ = capacity_ - 1;
  }

  std::vector<std::unique_ptr<Slot[]>> chunks_;
  uint32_t capacity_ = 0;
  uint32_t free_head_ = kNone;
  uint32_t free_tail_ = kNone;
  size_t size_ = 0;
};

}  // namespace trunkline
