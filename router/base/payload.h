#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "router/base/check.h"

namespace trunkline {

class BlockPool;

// Append-only memory that slices point into. Bytes once written never change; the block goes back
// to its pool when the last slice lets go. Counts are plain integers: a block and all its slices
// belong to one thread, the pool's.
struct Block {
  BlockPool* pool;
  uint32_t refs;
  uint32_t capacity;
  uint32_t used;
  uint8_t bytes[1];  // `capacity` of them

  uint8_t* tail() { return bytes + used; }
  uint32_t room() const { return capacity - used; }
};

// Counted reference to a run of bytes in a Block. A slice without a block refers to memory that the
// caller keeps alive (constants, tests).
class Slice {
 public:
  Slice() = default;
  // Shares `block`.
  Slice(Block* block, const uint8_t* data, uint32_t size);
  // REQUIRES: `text` outlives every copy.
  static Slice Unowned(std::string_view text) {
    return Slice(nullptr, reinterpret_cast<const uint8_t*>(text.data()),
                 static_cast<uint32_t>(text.size()));
  }
  Slice(const Slice& other);
  Slice(Slice&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)), data_(other.data_), size_(other.size_) {
    other.size_ = 0;
  }
  Slice& operator=(Slice other) noexcept {
    std::swap(block_, other.block_);
    data_ = other.data_;
    size_ = other.size_;
    return *this;
  }
  ~Slice();

  const uint8_t* data() const { return data_; }
  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Block* block() const { return block_; }
  // Lets go of the block without giving up its reference, which is the caller's from here on.
  Block* Release() { return std::exchange(block_, nullptr); }
  // Takes over a reference of `block`.
  static Slice Adopt(Block* block, const uint8_t* data, uint32_t size) {
    Slice slice;
    slice.block_ = block;
    slice.data_ = data;
    slice.size_ = size;
    return slice;
  }
  std::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }
  // REQUIRES: offset + size <= this->size().
  Slice Sub(uint32_t offset, uint32_t size) const {
    TL_DCHECK(offset <= size_ && size <= size_ - offset);
    return Slice(block_, data_ + offset, size);
  }
  void RemovePrefix(uint32_t n) {
    TL_DCHECK(n <= size_);
    data_ += n;
    size_ -= n;
  }

 private:
  Block* block_ = nullptr;
  const uint8_t* data_ = nullptr;
  uint32_t size_ = 0;
};

// References of a block that another thread gives back.
struct BlockReturn {
  Block* block = nullptr;
  uint32_t refs = 0;
};

// Keeps blocks for reuse. Owned by a worker (or a test); every slice of its blocks must be gone
// before it is. Thread: its owner's.
//
// A block of another thread's pool is known here by a proxy: a Block without bytes of its own that
// stands for so many references of the real one. Slices point to the real bytes and count on the
// proxy; when that is done, the references wait to be taken home. See Parcel.
class BlockPool {
 public:
  static constexpr uint32_t kBlockBytes = 64 * 1024;
  static constexpr size_t kFreeMax = 64;  // 4 MiB kept; what is above goes back to the allocator

  // `id` tells the pools of one process apart; small.
  explicit BlockPool(uint16_t id = 0) : id_(id) {}
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  // An empty block with one reference, the caller's, of `capacity` bytes. Only those of kBlockBytes
  // are kept for reuse; others are made to measure.
  Block* Take(uint32_t capacity = kBlockBytes);
  static void Ref(Block* block) { ++block->refs; }
  static void Unref(Block* block) {
    if (--block->refs == 0) block->pool->Return(block);
  }
  // Gives free blocks back to the allocator.
  void Trim();

  uint16_t id() const { return id_; }

  // A reference to the proxy of `origin`, a block of another pool of which one reference is handed
  // over. Consecutive calls for one block share a proxy.
  Block* Borrow(Block* origin);
  // What is to be taken home to the pool of that id: the caller brings it to AcceptReturns there.
  size_t returns(uint16_t pool) const { return pool < returns_.size() ? returns_[pool].size() : 0; }
  std::vector<BlockReturn> TakeReturns(uint16_t pool);
  // On the thread of the blocks' pool.
  static void AcceptReturns(absl::Span<const BlockReturn> returns);

  // Bytes of all blocks in use (not those kept for reuse), proxies not counted.
  uint64_t bytes_in_use() const { return bytes_in_use_; }
  // Blocks kept for reuse: at most kFreeMax.
  size_t free_blocks() const { return free_.size(); }

 private:
  struct Proxy;

  void Return(Block* block);
  void ReturnProxy(Proxy* proxy);

  const uint16_t id_;
  absl::InlinedVector<Block*, 8> free_;
  uint64_t bytes_in_use_ = 0;

  std::vector<std::vector<BlockReturn>> returns_;  // by pool
  Proxy* last_proxy_ = nullptr;                    // alive
  size_t proxies_ = 0;                             // alive
};

inline Slice::Slice(Block* block, const uint8_t* data, uint32_t size)
    : block_(block), data_(data), size_(size) {
  if (block_ != nullptr) BlockPool::Ref(block_);
}
inline Slice::Slice(const Slice& other) : Slice(other.block_, other.data_, other.size_) {}
inline Slice::~Slice() {
  if (block_ != nullptr) BlockPool::Unref(block_);
}

// The bytes of a message, or of the part of it that is held: a list of slices. Copying shares.
// Nearly all payloads are one slice, which is held in place; the list of a longer one is kept
// aside. Thread: that of the blocks.
class Payload {
 public:
  Payload() = default;
  explicit Payload(Slice slice) : only_(std::move(slice)), bytes_(only_.size()) {}
  Payload(const Payload& other) : only_(other.only_), bytes_(other.bytes_) {
    if (other.list_ != nullptr) [[unlikely]]
      list_ = std::make_unique<List>(*other.list_);
  }
  Payload& operator=(const Payload& other) {
    if (this != &other) *this = Payload(other);
    return *this;
  }
  // What was moved from is empty.
  Payload(Payload&& other) noexcept
      : only_(std::move(other.only_)),
        list_(std::move(other.list_)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  Payload& operator=(Payload&& other) noexcept {
    if (this == &other) return *this;
    only_ = std::move(other.only_);
    list_ = std::move(other.list_);
    bytes_ = std::exchange(other.bytes_, 0);
    return *this;
  }

  void Append(Slice slice) {
    if (slice.empty()) return;
    if (bytes_ != 0) [[unlikely]]
      return AppendToList(std::move(slice));
    bytes_ = slice.size();
    only_ = std::move(slice);
  }
  // REQUIRES: `other` is another payload.
  void Append(const Payload& other) {
    TL_DCHECK(&other != this);
    for (const Slice& slice : other.slices()) Append(slice);
  }
  // REQUIRES: n <= bytes().
  void RemovePrefix(uint64_t n) {
    TL_DCHECK(n <= bytes_);
    if (n == bytes_) return Clear();
    bytes_ -= n;
    if (list_ == nullptr) return only_.RemovePrefix(static_cast<uint32_t>(n));
    RemoveFromList(n);
  }
  void Clear() {
    only_ = Slice();
    if (list_ != nullptr) [[unlikely]]
      list_.reset();
    bytes_ = 0;
  }

  // Gives every slice to `take`, in order; nothing is left.
  template <typename Take>
  void TakeSlices(Take take) {
    if (list_ != nullptr) {
      for (Slice& slice : *list_) take(std::move(slice));
    } else if (bytes_ != 0) {
      take(std::move(only_));
    }
    Clear();
  }

  uint64_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }
  absl::Span<const Slice> slices() const {
    if (list_ != nullptr) [[unlikely]]
      return *list_;
    return {&only_, bytes_ != 0 ? 1u : 0u};
  }
  // Up to `max` leading bytes in one piece: a view of the first slice where that suffices, else a
  // copy in `scratch`.
  std::string_view Prefix(size_t max, std::string& scratch) const;
  std::string ToString() const;

  // Bytes up to which a message that has to wait is worth copying, so that it does not pin the
  // block it arrived in.
  static constexpr uint64_t kCompactMax = 512;
  // Replaces the slices by a copy of their own when bytes() <= kCompactMax. Frees the blocks they
  // pin.
  void Compact(BlockPool& pool);

 private:
  using List = std::vector<Slice>;

  void AppendToList(Slice slice);
  void RemoveFromList(uint64_t n);

  Slice only_;                  // where there is no list
  std::unique_ptr<List> list_;  // of two slices or more when it is made; never empty
  uint64_t bytes_ = 0;
};

}  // namespace trunkline
