#include "router/conn/tls_pipe.h"

namespace trunkline::conn {
namespace {

// What a record adds to its plaintext, generously, with an alert or a key update before it.
constexpr uint32_t kRecordOverhead = 512;
// Room that a handshake flight asks for.
constexpr uint32_t kFlightBytes = 17 * 1024;

absl::Span<const uint8_t> Bytes(const Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace

bool TlsPipe::Decrypt(ReadBuffer& plain, uint32_t needs) {
  if (input_.empty() && !stage_->HasPlaintext()) return false;
  const absl::Span<uint8_t> room = plain.Room(workspace_.arena, workspace_.pool, needs);
  const tls::TlsStage::Step step = stage_->Read(Bytes(input_.bytes()), room);
  plain.Received(static_cast<uint32_t>(step.produced));
  input_.Consume(static_cast<uint32_t>(step.consumed));
  return step.consumed > 0 || step.produced > 0;
}

size_t TlsPipe::Encrypt(absl::Span<const uint8_t> plaintext) {
  const uint32_t record = static_cast<uint32_t>(plaintext.size()) + kRecordOverhead;
  const uint32_t room = stage_->HasOutput() ? record + kFlightBytes : record;
  uint8_t* const out = output_.Reserve(room);
  const tls::TlsStage::Step step = stage_->Write(plaintext, {out, room});
  output_.Commit(static_cast<uint32_t>(step.produced));
  spoken_ |= step.produced > 0;
  return step.consumed;
}

void TlsPipe::Shutdown() {
  if (shut_down_) return;
  shut_down_ = true;
  stage_->Shutdown();
}

}  // namespace trunkline::conn
