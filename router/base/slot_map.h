#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
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
// Thread: its owner's. Insert may allocate; Find and Erase never do. Memory goes back by Trim only.
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
    return HandleOf(Emplace(std::forward<Args>(args)...));
  }
  // As Insert; the element itself.
  template <typename... Args>
  T& Emplace(Args&&... args) {
    if (free_head_ == nullptr) Grow();
    Slot& slot = *free_head_;
    free_head_ = slot.next_free;
    T* value = new (slot.storage) T(std::forward<Args>(args)...);
    ++slot.generation;
    ++size_;
    return *value;
  }

  // REQUIRES: `value` is an element of this map.
  Handle<T> HandleOf(const T& value) const {
    const Slot& slot = *SlotOf(const_cast<T*>(&value));
    return {slot.index, slot.generation};
  }

  // The element, or null when the handle is stale or none.
  T* Find(Handle<T> handle) {
    if (handle.index >= capacity_ || !(handle.generation & 1)) return nullptr;
    Slot* slots = chunks_[handle.index >> kChunkBits].slots.get();
    if (slots == nullptr) return nullptr;
    Slot& slot = slots[handle.index & (kChunk - 1)];
    return slot.generation == handle.generation ? slot.value() : nullptr;
  }
  const T* Find(Handle<T> handle) const { return const_cast<SlotMap*>(this)->Find(handle); }

  // REQUIRES: the handle is live.
  T& Get(Handle<T> handle) {
    T* value = Find(handle);
    TL_DCHECK(value != nullptr);
    return *value;
  }

  // True if the handle was live. The element is not found any more while it is destroyed.
  bool Erase(Handle<T> handle) {
    T* value = Find(handle);
    if (value == nullptr) return false;
    Erase(*value);
    return true;
  }
  // REQUIRES: `value` is an element of this map.
  void Erase(T& value) {
    Slot& slot = *SlotOf(&value);
    ++slot.generation;
    value.~T();
    --size_;
    PushFree(slot);
  }

  size_t size() const { return size_; }

  // In slot order. `visit` may erase the element it is given, and no other, and not insert.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (uint32_t chunk = 0; chunk < chunks_.size(); ++chunk) {
      if (chunks_[chunk].slots == nullptr) continue;
      for (uint32_t i = chunk << kChunkBits; i < (chunk + 1) << kChunkBits; ++i) {
        Slot& slot = At(i);
        if (slot.generation & 1) visit(Handle<T>{i, slot.generation}, *slot.value());
      }
    }
  }

  // A part of such a walk, for those that may not take long: visits what lives in `slots` slots
  // from slot `from` on, and returns where to go on; 0: that was all. What is inserted or erased
  // between two parts may be missed. `visit` may erase the element it is given, and no other, and
  // not insert.
  template <typename Visit>
  uint32_t Walk(uint32_t from, uint32_t slots, Visit visit) {
    const uint32_t end = std::min(capacity_, from + std::min(slots, capacity_));
    for (uint32_t i = from; i < end; ++i) {
      if (chunks_[i >> kChunkBits].slots == nullptr) {
        i |= kChunk - 1;  // the last of its chunk
        continue;
      }
      Slot& slot = At(i);
      if (slot.generation & 1) visit(*slot.value());
    }
    return end < capacity_ ? end : 0;
  }

  // Gives memory in which no element lives back to the allocator. Walks all free slots: for idle
  // times after a burst.
  void Trim() {
    std::vector<bool> unused(chunks_.size());
    for (size_t i = 0; i < chunks_.size(); ++i) unused[i] = chunks_[i].IsUnused();
    Slot* next = std::exchange(free_head_, nullptr);
    while (next != nullptr) {
      Slot& slot = *std::exchange(next, next->next_free);
      if (!unused[slot.index >> kChunkBits]) PushFree(slot);
    }
    for (size_t i = 0; i < chunks_.size(); ++i) {
      if (!unused[i]) continue;
      chunks_[i].Release();
      --chunks_in_use_;
    }
  }

 private:
  static constexpr uint32_t kChunkBits = 6;
  static constexpr uint32_t kChunk = 1u << kChunkBits;

  struct Slot {
    uint32_t generation = 0;  // even: free
    uint32_t index = 0;
    Slot* next_free = nullptr;
    alignas(T) unsigned char storage[sizeof(T)];
    T* value() { return std::launder(reinterpret_cast<T*>(storage)); }
  };

  struct Chunk {
    std::unique_ptr<Slot[]> slots;  // null: released
    uint32_t generation = 0;        // of the slots when there are any again: newer than all handles

    bool IsUnused() const {
      for (uint32_t i = 0; slots != nullptr && i < kChunk; ++i) {
        if (slots[i].generation & 1) return false;
      }
      return slots != nullptr;
    }
    void Release() {
      for (uint32_t i = 0; i < kChunk; ++i) generation = std::max(generation, slots[i].generation);
      slots = nullptr;
    }
  };

  Slot& At(uint32_t index) { return chunks_[index >> kChunkBits].slots[index & (kChunk - 1)]; }
  static Slot* SlotOf(T* value) {
    return reinterpret_cast<Slot*>(reinterpret_cast<unsigned char*>(value) -
                                   offsetof(Slot, storage));
  }

  void PushFree(Slot& slot) {
    slot.next_free = nullptr;
    (free_head_ == nullptr ? free_head_ : free_tail_->next_free) = &slot;
    free_tail_ = &slot;
  }

  // Slots for the first chunk that has none. Apart, so that Emplace stays small.
  ABSL_ATTRIBUTE_NOINLINE void Grow() {
    uint32_t chunk = 0;
    if (chunks_in_use_ == chunks_.size()) {
      chunk = static_cast<uint32_t>(chunks_.size());
      chunks_.emplace_back();
      capacity_ += kChunk;
    }
    while (chunks_[chunk].slots != nullptr) ++chunk;
    // Not touched before it is used: elements may be large and few.
    chunks_[chunk].slots = std::make_unique_for_overwrite<Slot[]>(kChunk);
    ++chunks_in_use_;
    for (uint32_t i = 0; i < kChunk; ++i) {
      Slot& slot = chunks_[chunk].slots[i];
      slot.generation = chunks_[chunk].generation;
      slot.index = (chunk << kChunkBits) + i;
      PushFree(slot);
    }
  }

  std::vector<Chunk> chunks_;
  size_t chunks_in_use_ = 0;  // with slots
  uint32_t capacity_ = 0;     // slots of all chunks
  Slot* free_head_ = nullptr;
  Slot* free_tail_ = nullptr;  // only with a head
  size_t size_ = 0;
};

}  // namespace trunkline
