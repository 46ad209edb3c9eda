#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

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
  uint8_t* Reserve(uint32_t n);
  // REQUIRES: n <= what the last Reserve asked for.
  void Commit(uint32_t n);
  void Append(std::string_view bytes);
  void Append(const Slice& slice);  // copies below kShareMin, shares from there on

  // Fills at most `max` entries from the front; returns how many.
  int Gather(struct iovec* out, int max) const;
  // Drops `n` bytes from the front. REQUIRES: n <= bytes().
  void Consume(uint64_t n);
  uint64_t bytes() const { return bytes_; }

 private:
  struct Chunk {
    Slice slice;
    bool own;  // encoded here: grows while it is last and ends at the tail of block_
  };

  BlockPool& pool_;
  Block* block_ = nullptr;  // where encoding goes on
  std::deque<Chunk> chunks_;
  uint64_t bytes_ = 0;
};

}  // namespace trunkline::amqp
