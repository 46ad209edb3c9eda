#include "router/amqp/engine_frames.h"

#include <cstring>

namespace trunkline::amqp {
namespace {

// Characters of an error's description that fit into any frame, with a name of the usual length.
constexpr size_t kDescriptionKept = 200;
// Memory for encoding that an idle engine keeps.
constexpr size_t kScratchKept = 128;

// A transfer whose fields are a list8.
constexpr uint32_t kUsualStart = 0x005314c0;
// The bytes of that list in front of its fields.
constexpr size_t kUsualHeaderBytes = 6;

// Reads a uint in place; false for the encodings and values that are not usual.
inline bool ReadUint(const uint8_t*& at, const uint8_t* end, uint32_t& value) {
  const ptrdiff_t left = end - at;
  if (left >= 5 && *at == code::kUint) {
    value = LoadBe32(at + 1);
    at += 5;
    return true;
  }
  if (left >= 1 && *at == code::kUint0) {
    value = 0;
    at += 1;
    return true;
  }
  if (left >= 2 && *at == code::kUintSmall) {
    value = at[1];
    at += 2;
    return true;
  }
  return false;
}

inline bool ReadFlag(const uint8_t*& at, const uint8_t* end, bool& value) {
  if (at == end || *at < code::kNull || *at > code::kFalse) return false;
  value = *at++ == code::kTrue;
  return true;
}

// A first frame with handle, id, tag, format, and perhaps settled and more.
inline bool ReadUsual(std::string_view body, TransferFrame& frame) {
  const uint8_t* at = reinterpret_cast<const uint8_t*>(body.data());
  if (body.size() < kUsualHeaderBytes || LoadBe32(at) != kUsualStart) return false;
  const uint8_t* end = at + 5 + at[4];
  const uint8_t count = at[5];
  if (body.size() < size_t{at[4]} + 5 || count < 4 || count > 6) return false;
  at += kUsualHeaderBytes;
  if (!ReadUint(at, end, frame.handle) || !ReadUint(at, end, frame.delivery_id)) return false;
  if (end - at < 2 || *at != code::kBinary8 || end - at < 2 + at[1]) return false;
  frame.tag = {reinterpret_cast<const char*>(at) + 2, at[1]};
  at += 2 + at[1];
  if (!ReadUint(at, end, frame.message_format)) return false;
  frame.settled = frame.more = false;
  if (count >= 5 && !ReadFlag(at, end, frame.settled)) return false;
  if (count >= 6 && !ReadFlag(at, end, frame.more)) return false;
  if (at != end) return false;
  frame.has_id = frame.has_tag = true;
  frame.aborted = frame.resume = false;
  frame.payload =
      body.substr(static_cast<size_t>(reinterpret_cast<const char*>(end) - body.data()));
  return true;
}

// Writes a uint that is small or of full size.
inline uint8_t* PutUint(uint8_t* at, uint32_t value) {
  if (value <= UINT8_MAX) {
    at[0] = code::kUintSmall;
    at[1] = static_cast<uint8_t>(value);
    return at + 2;
  }
  at[0] = code::kUint;
  StoreBe32(at + 1, value);
  return at + 5;
}

uint8_t* PutFlag(uint8_t* at, bool value) {
  *at = value ? code::kTrue : code::kFalse;
  return at + 1;
}

}  // namespace

bool ReadTransfer(std::string_view body, TransferFrame& frame) {
  if (ReadUsual(body, frame)) return true;
  Transfer transfer;
  if (!ParseTransfer(body, transfer, frame.payload)) return false;
  frame.handle = transfer.handle;
  frame.has_id = transfer.delivery_id.has_value();
  frame.delivery_id = transfer.delivery_id.value_or(0);
  frame.has_tag = transfer.delivery_tag.has_value();
  frame.tag = transfer.delivery_tag.value_or(std::string_view());
  frame.message_format = transfer.message_format.value_or(0);
  frame.settled = transfer.settled.value_or(false);
  frame.more = transfer.more;
  frame.aborted = transfer.aborted;
  frame.resume = transfer.resume;
  return true;
}

uint32_t PutTransferHead(const TransferHead& head, uint8_t* out) {
  StoreBe32(out, kUsualStart);
  uint8_t* at = PutUint(out + kUsualHeaderBytes, head.handle);
  uint8_t count = 1;
  if (head.first) {
    at[0] = code::kUint;
    StoreBe32(at + 1, head.delivery_id);
    at[5] = code::kBinary8;
    at[6] = sizeof(head.tag);
    StoreBe64(at + 7, __builtin_bswap64(head.tag));
    at = PutUint(at + 15, head.message_format);
    count = 4;
  } else if (head.more) {
    std::memset(at, code::kNull, 3);
    at += 3;
  }
  if (head.more || (head.first && head.settled)) {
    at = PutFlag(at, head.settled);
    count = 5;
  }
  if (head.more) {
    at = PutFlag(at, true);
    count = 6;
  }
  out[4] = static_cast<uint8_t>(at - out - 5);
  out[5] = count;
  return static_cast<uint32_t>(at - out);
}

void FrameWriter::WriteHeartbeat() {
  if (stopped_) return;
  PutFrameHeader(output_.Reserve(kFrameHeaderBytes), kFrameHeaderBytes, 0);
  output_.Commit(kFrameHeaderBytes);
  ++count_;
}

bool FrameWriter::Finish(uint16_t channel) {
  const bool fits = scratch_.size() <= frame_bytes_max_;
  if (fits && !stopped_) {
    PutFrameHeader(reinterpret_cast<uint8_t*>(scratch_.data()),
                   static_cast<uint32_t>(scratch_.size()), channel);
    output_.Append(scratch_);
    ++count_;
  }
  if (scratch_.capacity() > kScratchKept) scratch_ = std::string();
  return fits;
}

void FrameWriter::Shorten(std::string& text) {
  if (text.size() <= kDescriptionKept) return;
  size_t n = kDescriptionKept;
  while (n > 0 && (text[n] & 0xc0) == 0x80) --n;
  text.resize(n);
}

}  // namespace trunkline::amqp
