#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "router/base/random.h"

namespace trunkline::sim {

// Bytes on their way in one direction of a connection: what was written and not read yet. Reads and
// writes are cut anywhere, so both ends see every fragmentation.
class Pipe {
 public:
  explicit Pipe(size_t capacity) : capacity_(capacity) {}

  // --- the writing end. Bytes of a cut pipe vanish.
  size_t room() const { return cut_ ? SIZE_MAX : capacity_ - size(); }
  // REQUIRES: bytes.size() <= room().
  void Write(std::string_view bytes);
  // Nothing follows.
  void End() { ended_ = true; }

  // --- the reading end
  size_t size() const { return bytes_.size() - head_; }
  bool readable() const { return !stalled_ && (size() > 0 || at_end()); }
  // All was read, and nothing follows.
  bool at_end() const { return size() == 0 && ended_; }
  // Up to `max` bytes; valid until the next call of anything.
  std::string_view Read(size_t max);

  // --- faults
  void Stall(bool stalled) { stalled_ = stalled; }
  bool stalled() const { return stalled_; }
  // The reader gets some of what is under way, then the end.
  void Cut(Random& random);
  bool is_cut() const { return cut_; }

 private:
  const size_t capacity_;
  std::string bytes_;
  size_t head_ = 0;
  bool stalled_ = false;
  bool ended_ = false;
  bool cut_ = false;
};

// A connection between a client and the router.
struct Wire {
  explicit Wire(size_t capacity) : to_router(capacity), to_client(capacity) {}

  Pipe to_router;
  Pipe to_client;
  bool broken = false;  // the router's next write fails

  bool idle() const { return !to_router.readable() && !to_client.readable(); }
};

// How many bytes go in one piece: any number up to `max`, small ones often. Zero for zero.
size_t SomeBytes(Random& random, size_t max);

}  // namespace trunkline::sim
