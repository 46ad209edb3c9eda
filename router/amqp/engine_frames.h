#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "router/amqp/codec.h"
#include "router/amqp/output.h"
#include "router/amqp/performatives.h"
#include "router/amqp/types.h"

namespace trunkline::amqp {

// A frame is a header of eight bytes (size, doff, type, channel) and a body.
inline constexpr uint32_t kFrameHeaderBytes = 8;
// What both ends have to be able to take, whatever was negotiated.
inline constexpr uint32_t kFrameBytesMin = 512;

// Writes a frame header of type AMQP without extended header.
inline void PutFrameHeader(uint8_t* at, uint32_t size, uint16_t channel) {
  constexpr uint32_t kDoffAndType = 0x02000000;
  StoreBe64(at, uint64_t{size} << 32 | kDoffAndType | channel);
}

// A transfer frame of the peer, as far as an engine looks at it.
struct TransferFrame {
  uint32_t handle = 0;
  uint32_t delivery_id = 0;
  uint32_t message_format = 0;
  bool has_id = false;
  bool has_tag = false;
  bool settled = false;
  bool more = false;
  bool aborted = false;
  bool resume = false;
  std::string_view tag;
  std::string_view payload;
};
// False: amqp:decode-error.
[[nodiscard]] bool ReadTransfer(std::string_view body, TransferFrame& frame);

// The performative of a transfer frame of ours. `tag` is a counter of the link, and is written
// least significant byte first; it and the three behind it go into the first frame only.
struct TransferHead {
  uint32_t handle = 0;
  bool first = false;
  bool more = false;
  bool settled = false;
  uint32_t delivery_id = 0;
  uint32_t message_format = 0;
  uint64_t tag = 0;
};
inline constexpr uint32_t kTransferHeadMax = 48;

// How transfers start, by the size of the list of their fields.
inline constexpr uint32_t kTransferList8 = 0x005314c0;
inline constexpr uint32_t kTransferList32 = 0x005314d0;

// Writes it to `out` (room: kTransferHeadMax) and returns its size.
[[gnu::always_inline]] inline uint32_t PutTransferHead(const TransferHead& head, uint8_t* out) {
  StoreBe32(out, kTransferList8);
  uint8_t* at = PutUint(out + 6, head.handle);
  uint8_t count = 1;
  if (head.first) {
    at[0] = code::kUint;
    StoreBe32(at + 1, head.delivery_id);
    at[5] = code::kBinary8;
    at[6] = sizeof(head.tag);
    std::memcpy(at + 7, &head.tag, sizeof(head.tag));
    at = PutUint(at + 15, head.message_format);
    count = 4;
  } else if (head.more) {
    std::memset(at, code::kNull, 3);
    at += 3;
  }
  if (head.more || (head.first && head.settled)) {
    at = PutBoolean(at, head.settled);
    count = 5;
  }
  if (head.more) {
    at = PutBoolean(at, true);
    count = 6;
  }
  out[4] = static_cast<uint8_t>(at - out - 5);
  out[5] = count;
  return static_cast<uint32_t>(at - out);
}

// A first and last frame of a delivery whose fields come in the usual encodings.
struct UsualTransfer {
  // Bytes from the start of the body that Read may look at.
  static constexpr uint32_t kReadable = 64;

  uint32_t handle;
  uint32_t delivery_id;
  uint32_t message_format;
  bool settled;
  std::string_view tag;
  std::string_view payload;

  // False: not such a frame, or a wrong one. REQUIRES: kReadable bytes at `body`, whatever `size`
  // is. Every field is taken to be there: if it is not, the end of the last is not where the list
  // ends.
  bool Read(const uint8_t* body, uint32_t size) {
    const uint8_t* at;
    uint32_t head;  // bytes that the size of the list does not count
    uint32_t list;
    uint32_t count;
    if (LoadBe32(body) == kTransferList8) {
      at = body + 6;
      head = 5;
      list = body[4];
      count = body[5];
    } else if (LoadBe32(body) == kTransferList32) {
      at = body + 12;
      head = 8;
      list = LoadBe32(body + 4);
      count = LoadBe32(body + 8);
    } else {
      return false;
    }
    if (size < head || list > size - head) return false;
    at = ReadUint(at, handle);
    if (at == nullptr || (at = ReadUint(at, delivery_id)) == nullptr) return false;
    const uint8_t tag_size = at[1];
    if (at[0] != code::kBinary8 || tag_size > kDeliveryTagBytesMax) return false;
    tag = {reinterpret_cast<const char*>(at) + 2, tag_size};
    if ((at = ReadUint(at + 2 + tag_size, message_format)) == nullptr) return false;
    settled = false;
    if (count != 4) {
      if (count - 5 > 1 || !IsFlag(*at)) return false;
      settled = *at++ == code::kTrue;
      if (count == 6 && (*at == code::kTrue || !IsFlag(*at++))) return false;
    }
    if (at != body + head + list) return false;
    payload = {reinterpret_cast<const char*>(at), size - head - list};
    return true;
  }

 private:
  // Null stands for false.
  static bool IsFlag(uint8_t format) { return format >= code::kNull && format <= code::kFalse; }
  // A uint of the usual encodings; null for all others.
  static const uint8_t* ReadUint(const uint8_t* at, uint32_t& value) {
    if (*at == code::kUint) {
      value = LoadBe32(at + 1);
      return at + 5;
    }
    value = 0;
    if (*at == code::kUint0) return at + 1;
    value = at[1];
    return *at == code::kUintSmall ? at + 2 : nullptr;
  }
};

// The one way of frames to the output: keeps to the peer's frame size, and silent after `close`.
// Transfers are written by Session in place; all others come through here.
//
// Owned by an Engine. Thread: the worker's.
class FrameWriter {
 public:
  explicit FrameWriter(BlockPool& pool) : output_(pool) {}

  Output& output() { return output_; }
  const Output& output() const { return output_; }
  // Frames written since the engine was made: heartbeats are for when this stands still.
  uint64_t count() const { return count_; }
  // A transfer was written in place.
  void Count() { ++count_; }

  // The peer's limit, kFrameBytesMin at least.
  uint32_t frame_bytes_max() const { return frame_bytes_max_; }
  void set_frame_bytes_max(uint32_t n) { frame_bytes_max_ = n; }
  // After this nothing is written.
  void Stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

  // False if the peer cannot take a frame of that size; nothing is written then.
  template <typename Performative>
  bool Write(uint16_t channel, const Performative& performative) {
    scratch_.assign(kFrameHeaderBytes, '\0');
    Encode(performative, scratch_);
    return Finish(channel);
  }
  // End, Detach and Close: the error is cut down until it fits.
  template <typename Performative>
  void WriteError(uint16_t channel, Performative performative) {
    if (Write(channel, performative)) return;
    performative.error.info.clear();
    Shorten(performative.error.description);
    if (Write(channel, performative)) return;
    performative.error = Condition{.name = std::string(condition::kInternalError)};
    Write(channel, performative);
  }
  void WriteHeartbeat();

 private:
  bool Finish(uint16_t channel);
  // Cuts a text to what fits into any frame, between two characters.
  static void Shorten(std::string& text);

  Output output_;
  uint64_t count_ = 0;
  uint32_t frame_bytes_max_ = UINT32_MAX;
  bool stopped_ = false;
  std::string scratch_;
};

}  // namespace trunkline::amqp
