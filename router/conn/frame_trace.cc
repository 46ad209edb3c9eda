#include "router/conn/frame_trace.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/amqp/codec.h"
#include "router/amqp/describe.h"
#include "router/amqp/engine_frames.h"
#include "router/base/secret.h"

namespace trunkline::conn {
namespace {

constexpr size_t kHeaderBytes = amqp::kFrameHeaderBytes;
constexpr std::string_view kProtocol = "AMQP";
// Larger ones nobody may send us, nor we anybody.
constexpr size_t kFrameMax = 16u << 20;
constexpr uint8_t kSaslType = 1;

const uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

bool IsHeader(std::string_view start) { return start.starts_with(kProtocol); }

// "AMQP0100" and its like.
std::string DescribeHeader(std::string_view start) {
  const uint8_t* at = Bytes(start);
  const char* name = at[4] == 0 ? "AMQP" : at[4] == 2 ? "TLS" : at[4] == 3 ? "SASL" : "unknown";
  return absl::StrCat("header ", name, " ", at[5], ".", at[6], ".", at[7]);
}

std::string Describe(std::string_view start, size_t size) {
  if (IsHeader(start)) return DescribeHeader(start);
  const uint8_t* at = Bytes(start);
  const size_t offset = size_t{at[4]} * 4;
  const uint8_t type = at[5];
  if (offset < kHeaderBytes || offset > size || type > kSaslType) return "(malformed frame)";
  const std::string_view body = start.substr(std::min(offset, start.size()));
  const std::string channel = type == kSaslType ? "" : absl::StrCat(amqp::LoadBe16(at + 6), " ");
  return absl::StrCat(channel, amqp::DescribeFrame(body, size - offset));
}

}  // namespace

FrameSplitter::~FrameSplitter() { Wipe(kept_); }

bool FrameSplitter::Push(std::string_view bytes,
                         const std::function<void(std::string_view, size_t)>& take) {
  while (!bytes.empty() && !lost_) {
    if (missing_ > 0) {
      const size_t skipped = std::min(missing_, bytes.size());
      missing_ -= skipped;
      bytes.remove_prefix(skipped);
      if (missing_ > 0) return true;
    } else {
      const size_t wanted = size_ == 0 ? kHeaderBytes : std::min(size_, kKept);
      const size_t taken = std::min(wanted - kept_.size(), bytes.size());
      if (kept_.capacity() < kKept) kept_.reserve(kKept);  // so that no copy is left behind
      kept_.append(bytes.substr(0, taken));
      bytes.remove_prefix(taken);
      if (kept_.size() < wanted) return true;
      if (size_ == 0) {
        size_ = IsHeader(kept_) ? kHeaderBytes : amqp::LoadBe32(Bytes(kept_));
        lost_ = size_ < kHeaderBytes || size_ > kFrameMax;
        if (size_ > kHeaderBytes && !lost_) continue;
      }
      missing_ = lost_ ? 0 : size_ - kept_.size();
      if (missing_ > 0) continue;
    }
    if (!lost_) take(kept_, size_);
    Wipe(kept_);
    size_ = 0;
  }
  return !lost_;
}

void FrameTrace::Read(std::string_view bytes) {
  const bool in_step =
      in_.Push(bytes, [this](std::string_view start, size_t size) { Tell(false, start, size); });
  if (!in_step && std::exchange(in_step_[false], false)) {
    TellText(false, [] { return std::string("(no frames from here on)"); });
  }
}

void FrameTrace::Written(std::string_view bytes) {
  const size_t skipped = static_cast<size_t>(std::min<uint64_t>(unsent_, bytes.size()));
  unsent_ -= skipped;
  bytes.remove_prefix(skipped);
  const bool in_step =
      out_.Push(bytes, [this](std::string_view start, size_t size) { Tell(true, start, size); });
  if (!in_step && std::exchange(in_step_[true], false)) {
    TellText(true, [] { return std::string("(no frames from here on)"); });
  }
}

void FrameTrace::Tell(bool outgoing, std::string_view start, size_t size) {
  TellText(outgoing, [&] { return Describe(start, size); });
}

// The text is made only if there is room for it, and once.
void FrameTrace::TellText(bool outgoing, const std::function<std::string()>& text) {
  std::string made;
  for (const std::shared_ptr<FrameQueue>& queue : queues_) {
    if (!queue->Admit(source_.worker, now_)) continue;
    if (made.empty()) made = text();
    const size_t bytes = sizeof(FrameLine) + made.size();
    queue->Push(source_.worker, {now_, source_.connection, outgoing, made}, bytes);
  }
}

}  // namespace trunkline::conn
