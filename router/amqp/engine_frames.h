#pragma once

#include <cstdint>
#include <string>

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
  at[0] = static_cast<uint8_t>(size >> 24);
  at[1] = static_cast<uint8_t>(size >> 16);
  at[2] = static_cast<uint8_t>(size >> 8);
  at[3] = static_cast<uint8_t>(size);
  at[4] = 2;
  at[5] = 0;
  at[6] = static_cast<uint8_t>(channel >> 8);
  at[7] = static_cast<uint8_t>(channel);
}

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
