#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "router/base/payload.h"

namespace trunkline {

// A payload on its way from one thread to another. Bytes are not copied: each slice takes one
// reference of its block along, which only the thread of that block's pool may give up. So a parcel
// must be unpacked, or be taken back where it was packed, before it ends.
//
// Thread: whoever holds it; packing, unpacking and taking back as said.
class Parcel {
 public:
  Parcel() = default;
  Parcel(Parcel&& other) noexcept;
  Parcel& operator=(Parcel&& other) noexcept;
  // REQUIRES: it is empty.
  ~Parcel();

  // On the thread of the blocks' pool; all blocks are of one pool. `payload` is empty after.
  static Parcel Pack(Payload&& payload);
  // On another thread, that of `mine`: its slices count on proxies there. The parcel is empty
  // after.
  Payload Unpack(BlockPool& mine);
  // On the thread that packed it: the payload as it was. The parcel is empty after.
  Payload TakeBack();

  bool empty() const { return bytes_ == 0; }
  uint64_t bytes() const { return bytes_; }

 private:
  struct Part {
    Block* block = nullptr;  // null: bytes that live for ever
    const uint8_t* data = nullptr;
    uint32_t size = 0;
  };

  template <typename Make>
  Payload Empty(Make make);

  Part first_;
  std::unique_ptr<std::vector<Part>> rest_;  // null: one part
  uint64_t bytes_ = 0;
};

}  // namespace trunkline
