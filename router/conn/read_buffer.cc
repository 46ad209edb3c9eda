#include "router/conn/read_buffer.h"

#include <string.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace trunkline::conn {

Block* ReadArena::Reserve(uint32_t n) {
  if (block_ != nullptr) {
    if (block_->refs == 1) block_->used = 0;  // nobody but us: from the start again
    if (block_->room() >= n) return block_;
    BlockPool::Unref(block_);
  }
  block_ = pool_.Take();
  return block_;
}

void ReadArena::Trim() {
  if (block_ == nullptr) return;
  BlockPool::Unref(block_);
  block_ = nullptr;
}

absl::Span<uint8_t> ReadBuffer::Room(ReadArena& arena, BlockPool& pool, uint32_t needs) {
  if (bytes_.empty()) {
    room_ = arena.Reserve(kRoomMin);
  } else {
    const uint32_t missing = needs > bytes_.size() ? needs - bytes_.size() : 0;
    const uint32_t room_min = std::max(missing, kRoomMin);
    if (RoomInPlace() < room_min) Move(arena, pool, bytes_.size() + room_min);
    room_ = bytes_.block();
  }
  return {room_->tail(), room_->room()};
}

uint32_t ReadBuffer::RoomInPlace() const {
  const Block* const block = bytes_.block();
  const bool at_tail = bytes_.data() + bytes_.size() == block->bytes + block->used;
  return at_tail ? block->room() : 0;
}

void ReadBuffer::Move(ReadArena& arena, BlockPool& pool, uint32_t total) {
  const bool shared = total <= BlockPool::kBlockBytes;
  Block* const block = shared ? arena.Reserve(total) : pool.Take(total);
  const uint8_t* const start = block->tail();
  std::memcpy(block->tail(), bytes_.data(), bytes_.size());
  block->used += bytes_.size();
  Replace(Slice(block, start, bytes_.size()));
  if (!shared) BlockPool::Unref(block);  // the slice is its owner
}

void ReadBuffer::Received(uint32_t n) {
  TL_DCHECK(room_ != nullptr && n <= room_->room());
  const uint8_t* const start = bytes_.empty() ? room_->tail() : bytes_.data();
  const uint32_t size = bytes_.size() + n;
  room_->used += n;
  if (size > 0) bytes_ = Slice(room_, start, size);
}

void ReadBuffer::Consume(uint32_t n) {
  if (secret_ && n > 0) ::explicit_bzero(const_cast<uint8_t*>(bytes_.data()), n);
  if (n == bytes_.size()) {
    bytes_ = Slice();
  } else {
    bytes_.RemovePrefix(n);
  }
}

void ReadBuffer::Settle(BlockPool& pool) {
  if (bytes_.empty() || bytes_.size() > kCopyMax || bytes_.block()->capacity <= kCopyMax) return;
  Block* const block = pool.Take(bytes_.size());
  std::memcpy(block->bytes, bytes_.data(), bytes_.size());
  block->used = bytes_.size();
  Replace(Slice(block, block->bytes, block->used));
  BlockPool::Unref(block);
}

void ReadBuffer::Replace(Slice bytes) {
  Clear();
  bytes_ = std::move(bytes);
}

}  // namespace trunkline::conn
