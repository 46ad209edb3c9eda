#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "router/conn/driver_impl.h"

namespace trunkline::conn {
namespace {

const std::vector<std::string>& Capabilities() {
  static const std::vector<std::string>* const capabilities =
      new std::vector<std::string>{"ANONYMOUS-RELAY", "qd.streaming-links"};
  return *capabilities;
}

bool IsOfConnection(amqp::EventKind kind) {
  return kind == amqp::EventKind::kOpened || kind == amqp::EventKind::kClosed ||
         kind == amqp::EventKind::kFailed;
}

}  // namespace

absl::Span<uint8_t> Driver::Impl::Room() {
  if (tls_) return tls_->Room();
  return plain_.Room(workspace_.arena, workspace_.pool, frame_needs_);
}

void Driver::Impl::Received(size_t n) {
  unparsed_ = true;
  heard_ = true;
  if (tls_) {
    tls_->Received(n);
  } else {
    plain_.Received(static_cast<uint32_t>(n));
  }
}

// What was received in this turn is parsed before it would have to be moved to make room.
bool Driver::Impl::WantsInput() const {
  if (input_ended_ || OutputBytes() >= kOutputStop) return false;
  if (early_ && early_->handshake.IsWaiting()) return false;
  if (!unparsed_) return true;
  return tls_ ? tls_->HasRoomInPlace() : plain_.HasRoomInPlace();
}

void Driver::Impl::Parse(Time now) {
  unparsed_ = false;
  if (trace_ != nullptr) [[unlikely]]
    trace_->SetTime(now);
  bridge_.Touch();
  if (tls_) {
    ParseTls(now);
    tls_->Settle();
  } else {
    ParsePlain(now);
  }
  if (input_ended_ && phase_ != Phase::kClosed) OnInputEnded();
  if (phase_ == Phase::kClosed) plain_.Clear();
  plain_.Settle(workspace_.pool);
}

void Driver::Impl::ParseTls(Time now) {
  while (tls_->Decrypt(plain_, frame_needs_)) {
    if (!tls_->IsUp()) continue;
    if (early_ && !early_->started) StartHandshake();
    ParsePlain(now);
  }
  const bool begun = early_ && !early_->started;
  if (tls_->IsFailed() && begun && phase_ != Phase::kClosed) CountTls(tls_->failure());
  if (tls_->IsFailed()) Fail(absl::StrCat("TLS: ", tls_->error()));
  if (tls_->PeerClosed()) input_ended_ = true;
}

void Driver::Impl::ParsePlain(Time now) {
  if (phase_ == Phase::kClosed) return plain_.Clear();
  if (!engine_) PushHandshake(now);
  if (engine_) ParseFrames(now);
}

// --- before the engine

void Driver::Impl::StartHandshake() {
  early_->started = true;
  if (tls_) {
    CountTls(tls::HandshakeResult::kOk);
    const tls::PeerInfo peer = tls_->peer();
    early_->handshake.Start(&peer);
  } else {
    early_->handshake.Start(nullptr);
  }
  MoveBehind(greeting_, early_->handshake.TakeOutput());
}

void Driver::Impl::PushHandshake(Time now) {
  const size_t used = early_->handshake.Push(plain_.bytes().view(), now);
  if (trace_ != nullptr) [[unlikely]]
    trace_->Read(plain_.bytes().view().substr(0, used));
  plain_.Consume(static_cast<uint32_t>(used));
  FollowHandshake();
}

void Driver::Impl::Answer(AuthAnswer answer, Time now) {
  if (engine_ || phase_ != Phase::kHandshake) return;  // given up meanwhile
  bridge_.Touch();
  early_->handshake.Take(std::move(answer), now);
  ParsePlain(now);  // what came after the step
  Parse(now);
}

void Driver::Impl::FollowHandshake() {
  Handshake& handshake = early_->handshake;
  MoveBehind(greeting_, handshake.TakeOutput());
  if (handshake.state() != Handshake::State::kNegotiating) CountHandshake();
  if (handshake.state() == Handshake::State::kFailed) return Fail(handshake.error());
  if (handshake.state() == Handshake::State::kDone) {
    user_ = handshake.user();
    if (handshake.IsSasl()) mechanism_ = handshake.mechanism();
    StartEngine();
  }
}

void Driver::Impl::StartEngine() {
  const DriverOptions& options = early_->options;
  amqp::EngineOptions engine;
  engine.initiate = !options.inbound;
  engine.container_id = options.router_id;
  if (!options.inbound && !options.hostname.empty()) engine.hostname = options.hostname;
  engine.max_frame_size = options.max_frame_size;
  engine.channel_max = options.channel_max;
  engine.idle_timeout = options.idle_timeout;
  engine.offered_capabilities = Capabilities();
  engine.desired_capabilities = Capabilities();
  engine.properties = options.properties;
  engine.session_window_bytes = options.session_window_bytes;
  engine.links_max = options.max_links;
  engine.faults = &workspace_.stats.faults;
  engine_ = std::make_unique<amqp::Engine>(std::move(engine), workspace_.pool);
  plain_.SetSecret(false);
  if (tls_) tls_->KeepPlaintext();
  spoken_ = !options.inbound;
}

// --- the engine

void Driver::Impl::ParseFrames(Time now) {
  engine_->SetInput(plain_.bytes(), now);
  OnEvents();
  const uint32_t used = engine_->Consumed();
  spoken_ |= used > 0;
  if (trace_ != nullptr) [[unlikely]]
    trace_->Read(plain_.bytes().view().substr(0, used));
  plain_.Consume(used);
  frame_needs_ = std::min(engine_->FrameNeeds(), max_frame_size_);
}

// True if there were any.
bool Driver::Impl::OnEvents() {
  bool any = false;
  amqp::Event event;
  while (engine_->Next(event)) {
    any = true;
    if (IsOfConnection(event.kind)) [[unlikely]] {
      OnConnectionEvent(event);
    } else if (bridge_.is_open()) {
      bridge_.OnEvent(event);
    }
  }
  CheckEngineClosed();
  return any;
}

void Driver::Impl::OnConnectionEvent(const amqp::Event& event) {
  if (event.kind == amqp::EventKind::kOpened) {
    OnOpened(*event.open);
  } else {
    peer_closed_ |= event.kind == amqp::EventKind::kClosed;
    OnClosed(*event.error);
  }
}

void Driver::Impl::OnOpened(const amqp::Open& open) {
  if (phase_ != Phase::kHandshake) return;  // given up meanwhile
  was_open_ = true;
  Count([this](LifeStats& stats) { stats.opened[inbound_].Add(); });
  container_id_ = open.container_id;
  SetPhase(Phase::kOpen);
  core::ConnectionInfo info = std::move(early_->options.info);
  info.user = user_;
  info.session_window_bytes = early_->options.session_window_bytes;
  early_.reset();
  bridge_.Open(*engine_, info);
}

// Whoever only looks whether somebody listens has failed at nothing.
void Driver::Impl::OnProbed() {
  Count([](LifeStats& stats) { stats.probes.Add(); });
  probe_ = true;
  end_counted_ = true;
  SetPhase(Phase::kClosed);
}

void Driver::Impl::OnInputEnded() {
  if (inbound_ && !heard_) return OnProbed();
  if (!engine_) return Fail("the peer hung up during the handshake");
  engine_->InputEnded();
  OnEvents();
  CountEnd(EndReason::kError);
  bridge_.Close();
  SetPhase(Phase::kClosed);
}

}  // namespace trunkline::conn
