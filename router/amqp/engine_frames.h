#pragma once

#include <cstdint>
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
  StoreBe32(at, size);
  at[4] = 2;
  at[5] = 0;
  StoreBe16(at + 6, channel);
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
// False: amqp:decode-error. Straight for the usual encodings; the others go through ParseTransfer.
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
// Writes it to `out` (room: kTransferHeadMax) and returns its size.
uint32_t PutTransferHead(const TransferHead& head, uint8_t* out);

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
