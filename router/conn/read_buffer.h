#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "router/base/payload.h"

namespace trunkline::conn {

// Where the connections of one worker read: the current block, filled one read behind the other,
// whoever reads. In the steady state every slice of it is gone by the next turn; then the same
// (cached) memory is used again from its start. Holds at most one block.
//
// Owned by a Workspace. Thread: the worker's.
class ReadArena {
 public:
  explicit ReadArena(BlockPool& pool) : pool_(pool) {}
  ReadArena(const ReadArena&) = delete;
  ReadArena& operator=(const ReadArena&) = delete;
  ~ReadArena() { Trim(); }

  // The block to append to, with room for at least `n` bytes; owned here. REQUIRES: n <=
  // BlockPool::kBlockBytes.
  Block* Reserve(uint32_t n);
  // Lets the current block go: nothing is read for a while.
  void Trim();

 private:
  BlockPool& pool_;
  Block* block_ = nullptr;
};

// The bytes of one connection that were read but not used up: one run in one block, usually of the
// arena. Holds no memory while empty, and a copy of its own while it keeps little.
//
// Owned by a Driver. Thread: the worker's.
class ReadBuffer {
 public:
  // Room offered, at least, except behind a frame that has its own block.
  static constexpr uint32_t kRoomMin = 16 * 1024;
  // Up to this size what is left is copied, so that it does not pin a block.
  static constexpr uint32_t kCopyMax = 1024;

  ReadBuffer() = default;
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;
  ~ReadBuffer() { Clear(); }

  // What is held from here on may be a password: it is overwritten when it is used up, moved or let
  // go. REQUIRES while it is so: nobody has slices of it.
  void SetSecret(bool secret) { secret_ = secret; }

  // Memory behind what is held. `needs`: bytes that what is held will become, as far as known; the
  // whole of it fits behind each other. Valid until anything else reserves from `arena`.
  absl::Span<uint8_t> Room(ReadArena& arena, BlockPool& pool, uint32_t needs);
  // `n` bytes were written to what Room returned.
  void Received(uint32_t n);

  // Room would return kRoomMin bytes without moving what is held.
  bool HasRoomInPlace() const { return bytes_.empty() || RoomInPlace() >= kRoomMin; }

  const Slice& bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  void Consume(uint32_t n);
  // The end of a turn: gives back the block when it is not worth pinning.
  void Settle(BlockPool& pool);
  void Clear() { Consume(bytes_.size()); }

 private:
  // Bytes free behind what is held, in its block. REQUIRES: !empty().
  uint32_t RoomInPlace() const;
  // What is held, moved to the front of a place with room for `total` bytes in all.
  void Move(ReadArena& arena, BlockPool& pool, uint32_t total);

  // What is held is at `bytes` from now on.
  void Replace(Slice bytes);

  Slice bytes_;
  Block* room_ = nullptr;  // of the last Room; not counted
  bool secret_ = false;
};

}  // namespace trunkline::conn
