#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "router/base/payload.h"

namespace trunkline::amqp {

// Bytes on their way out of an engine: encoded frames in blocks of its own, interleaved with slices
// of message payload that are never copied when they are worth sharing. Holds no memory while
// empty.
//
// Owned by an Engine. Thread: the worker's.
class Output {
 public:
  // From this size on a payload slice is referenced instead of copied.
  static constexpr uint32_t kShareMin = 2048;

  explicit Output(BlockPool& pool) : pool_(pool) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output();

  // Room for `n` bytes in one piece (n <= BlockPool::kBlockBytes), to be filled and then committed.
  uint8_t* Reserve(uint32_t n) {
    if (block_ == nullptr || block_->room() < n) NextBlock();
    return block_->tail();
  }
  // REQUIRES: n <= what the last Reserve asked for.
  void Commit(uint32_t n) {
    block_->used += n;
    bytes_ += n;
  }
  void Append(std::string_view bytes);
  void Append(const Slice& slice);  // copies below kShareMin, shares from there on

  // Fills at most `max` entries from the front; returns how many.
  int Gather(struct iovec* out, int max) const;
  // Drops `n` bytes from the front. REQUIRES: n <= bytes().
  void Consume(uint64_t n);
  uint64_t bytes() const { return bytes_; }

 private:
  // The run of encoded bytes at the end of the block that no slice of sealed_ holds yet.
  uint32_t open_bytes() const { return block_ == nullptr ? 0 : block_->used - open_; }
  void Seal();
  void NextBlock();
  void Clear();

  BlockPool& pool_;
  Block* block_ = nullptr;     // where encoding goes on
  uint32_t open_ = 0;          // offset in block_ of the run that is not sealed
  uint32_t head_ = 0;          // slices of sealed_ that are gone already
  std::vector<Slice> sealed_;  // what goes out before the open run
  uint64_t bytes_ = 0;
};

}  // namespace trunkline::amqp
