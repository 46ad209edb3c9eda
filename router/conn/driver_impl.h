#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "router/amqp/engine.h"
#include "router/base/secret.h"
#include "router/conn/bridge.h"
#include "router/conn/driver.h"
#include "router/conn/handshake.h"
#include "router/conn/marks.h"
#include "router/conn/read_buffer.h"
#include "router/conn/tls_pipe.h"

namespace trunkline::conn {

// How long the peer may take to answer our close, and to take what is left to write.
inline constexpr Duration kCloseTimeout = Seconds(5);

// The layers of a Driver. Input goes up: driver_input.cc. Output goes down, and the life of the
// connection: driver.cc.
class Driver::Impl {
 public:
  Impl(const DriverOptions& options, core::Shard& shard, Workspace& workspace);
  ~Impl() {
    bridge_.Close();
    Wipe(greeting_);
  }

  // --- input
  absl::Span<uint8_t> Room();
  void Received(size_t n);
  void InputEnded() { input_ended_ = true; }
  void Parse(Time now);
  bool WantsInput() const;

  bool UseTls(std::shared_ptr<const tls::Context> context);

  // --- output
  void Flush(Time now);
  int Gather(struct iovec* out, int max);
  bool Wrote(size_t n);
  bool HasOutput() const;

  void Answer(AuthAnswer answer, Time now);
  Time Tick(Time now);
  void Close(const amqp::Condition& error, EndReason reason);
  void Quiesce() { bridge_.Quiesce(); }
  void TraceFrames(FrameTrace::Source source, std::vector<std::shared_ptr<FrameQueue>> queues);

  Phase phase() const { return phase_; }
  bool WasOpen() const { return was_open_; }
  bool Finished() const;
  bool PeerIsDone() const { return peer_closed_ || input_ended_; }
  bool IsGivenUp() const { return given_up_; }
  bool IsProbe() const { return probe_; }
  const std::string& error() const { return error_; }
  const std::string& container_id() const { return container_id_; }
  const std::string& user() const { return user_; }
  std::string tls_description() const;
  const std::string& mechanism() const { return mechanism_; }
  std::string peer_subject() const;
  const amqp::Open* remote_open() const {
    return was_open_ && engine_ ? &engine_->remote_open() : nullptr;
  }
  Traffic traffic() const;
  const core::Connection* connection() const { return bridge_.connection(); }

 private:
  // What is needed until the connection is open, and then gone.
  struct Early {
    explicit Early(const DriverOptions& given) : options(given), handshake(options) {}
    DriverOptions options;
    Handshake handshake;
    bool started = false;  // bytes may flow: without TLS, or above it
    Time deadline = kNever;
  };

  // --- input, from the socket upwards
  void ParseTls(Time now);
  void ParsePlain(Time now);
  void StartHandshake();
  void PushHandshake(Time now);
  void FollowHandshake();
  void StartEngine();
  void ParseFrames(Time now);
  bool OnEvents();
  void OnConnectionEvent(const amqp::Event& event);
  void OnOpened(const amqp::Open& open);
  void OnClosed(const amqp::Condition& error);
  void OnInputEnded();
  void OnProbed();

  // --- output, downwards
  void Encrypt();
  absl::Span<const uint8_t> NextPlaintext();
  int GatherPlain(struct iovec* out, int max);
  void ConsumePlain(size_t n);
  void TraceWritten(size_t n);
  uint64_t PlainBytes() const;
  uint64_t OutputBytes() const { return PlainBytes() + (tls_ ? tls_->output().bytes() : 0); }

  // --- counters
  // Has both of the worker's and the owner's counters take part in `count`.
  template <typename F>
  void Count(F count) {
    count(static_cast<LifeStats&>(workspace_.stats));
    if (stats_ != nullptr) count(*stats_);
  }
  void CountFrames();
  void CountHandshake();
  void CountTls(tls::HandshakeResult result);
  // Of all reasons for the end of a connection the first counts.
  void CountEnd(EndReason reason);
  Stage ReachedStage() const;

  // --- life
  void SetPhase(Phase phase);
  // Ends a connection that has failed below AMQP.
  void Fail(std::string error);
  void CheckEngineClosed();
  Time TickHandshake(Time now);
  Time TickClosing(Time now);

  Workspace& workspace_;
  LifeStats* const stats_;
  Bridge bridge_;
  std::unique_ptr<Early> early_;
  std::unique_ptr<TlsPipe> tls_;
  ReadBuffer plain_;
  std::string greeting_;  // output of the handshake, goes out before the engine's
  std::unique_ptr<amqp::Engine> engine_;
  Time close_deadline_ = kNever;
  uint32_t max_frame_size_;
  // Bytes that the frame at the front of plain_ takes. The peer may claim any size; above ours the
  // engine refuses it.
  uint32_t frame_needs_ = 0;
  Phase phase_ = Phase::kHandshake;
  bool heard_ = false;  // a byte has come
  bool said_ = false;   // a byte of plaintext has left
  bool probe_ = false;
  bool spoken_ = false;    // AMQP frames have gone or come
  bool resumed_ = false;   // links may go on; not told yet
  bool unparsed_ = false;  // something was received since the last Parse
  bool was_open_ = false;
  bool peer_closed_ = false;
  bool input_ended_ = false;
  bool given_up_ = false;  // what is left to write is dropped
  bool end_counted_ = false;
  bool inbound_;
  std::unique_ptr<FrameTrace> trace_;  // null: nobody looks
  uint64_t frames_in_ = 0;             // of the engine, as counted last
  uint64_t frames_out_ = 0;
  std::string error_;
  std::string container_id_;
  std::string user_;
  std::string mechanism_;
};

}  // namespace trunkline::conn
