#include "router/amqp/engine_frames.h"

namespace trunkline::amqp {
namespace {

// Characters of an error's description that fit into any frame, with a name of the usual length.
constexpr size_t kDescriptionKept = 200;
// Memory for encoding that an idle engine keeps.
constexpr size_t kScratchKept = 128;

}  // namespace

bool ReadTransfer(std::string_view body, TransferFrame& frame) {
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
