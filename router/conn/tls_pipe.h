#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/types/span.h"
#include "router/amqp/output.h"
#include "router/conn/read_buffer.h"
#include "router/conn/workspace.h"
#include "router/tls/stage.h"

namespace trunkline::conn {

// The TLS layer of a driver: ciphertext that came and ciphertext that has to go, around a TlsStage.
// Holds no memory of its own while both are empty.
//
// Owned by a Driver. Thread: the worker's.
class TlsPipe {
 public:
  TlsPipe(std::unique_ptr<tls::TlsStage> stage, Workspace& workspace)
      : stage_(std::move(stage)), workspace_(workspace), output_(workspace.pool) {}
  TlsPipe(const TlsPipe&) = delete;
  TlsPipe& operator=(const TlsPipe&) = delete;

  absl::Span<uint8_t> Room() { return input_.Room(workspace_.arena, workspace_.pool, 0); }
  void Received(size_t n) { input_.Received(static_cast<uint32_t>(n)); }
  bool HasRoomInPlace() const { return input_.HasRoomInPlace(); }
  // One step: from what was received to `plain`, which is to become `needs` bytes. False when
  // nothing more comes of it.
  bool Decrypt(ReadBuffer& plain, uint32_t needs);
  // The end of a turn.
  void Settle() { input_.Settle(workspace_.pool); }

  // Takes plaintext for one record and writes what is due before it; returns how much it took.
  size_t Encrypt(absl::Span<const uint8_t> plaintext);
  // What is decrypted from here on is no password.
  void KeepPlaintext() { stage_->KeepPlaintext(); }
  // Queues close_notify, once. Nothing is encrypted behind it.
  void Shutdown();
  bool is_shut_down() const { return shut_down_; }

  amqp::Output& output() { return output_; }
  const amqp::Output& output() const { return output_; }
  // Plaintext would be taken.
  bool CanEncrypt() const { return !shut_down_ && IsUp(); }
  // Something was made to be written.
  bool HasSpoken() const { return spoken_; }
  // The layer itself has to say something: handshake, alert, key update.
  bool HasNews() const { return stage_->HasOutput(); }
  bool HasOutput() const { return output_.bytes() > 0 || HasNews(); }

  // The handshake is done, successfully.
  bool IsUp() const {
    return stage_->state() == State::kOpen || stage_->state() == State::kPeerClosed;
  }
  bool IsFailed() const { return stage_->state() == State::kFailed; }
  bool PeerClosed() const { return stage_->state() == State::kPeerClosed; }
  const std::string& error() const { return stage_->error(); }
  tls::HandshakeResult failure() const { return stage_->failure(); }
  tls::PeerInfo peer() const { return stage_->peer(); }

 private:
  using State = tls::TlsStage::State;

  std::unique_ptr<tls::TlsStage> stage_;
  Workspace& workspace_;
  ReadBuffer input_;
  amqp::Output output_;
  bool spoken_ = false;
  bool shut_down_ = false;
};

}  // namespace trunkline::conn
