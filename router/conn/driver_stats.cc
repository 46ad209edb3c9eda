#include <string_view>
#include <utility>

#include "router/conn/driver_impl.h"

// What a driver adds to the counters of its worker and of its owner.
namespace trunkline::conn {

void Driver::Impl::CountFrames() {
  const uint64_t in = engine_->frames_in();
  const uint64_t out = engine_->frames_out();
  workspace_.stats.frames_in.Add(in - std::exchange(frames_in_, in));
  workspace_.stats.frames_out.Add(out - std::exchange(frames_out_, out));
}

Driver::Traffic Driver::Impl::traffic() const {
  Traffic traffic;
  traffic.output_bytes = OutputBytes();
  if (!engine_) return traffic;
  traffic.frames_in = engine_->frames_in();
  traffic.frames_out = engine_->frames_out();
  traffic.sessions = engine_->sessions_now();
  traffic.last_input = engine_->last_input();
  traffic.last_output = engine_->last_output();
  return traffic;
}

void Driver::Impl::CountTls(tls::HandshakeResult result) {
  Count([&](LifeStats& stats) { LifeStats::Count(stats.tls_handshakes[inbound_], result); });
}

void Driver::Impl::CountHandshake() {
  if (!early_->handshake.IsSasl()) return;
  const std::string_view name = early_->handshake.mechanism();
  Mechanism mechanism = Mechanism::kOther;
  if (name == "ANONYMOUS") mechanism = Mechanism::kAnonymous;
  if (name == "EXTERNAL") mechanism = Mechanism::kExternal;
  if (name == "PLAIN") mechanism = Mechanism::kPlain;
  if (name == "SCRAM-SHA-1") mechanism = Mechanism::kScramSha1;
  if (name == "SCRAM-SHA-256") mechanism = Mechanism::kScramSha256;
  const bool ok = early_->handshake.state() == Handshake::State::kDone;
  const bool denied = !early_->handshake.IsOurFault();
  Count([&](LifeStats& stats) {
    LifeStats::Count(ok ? stats.sasl_ok : denied ? stats.sasl_denied : stats.sasl_error, mechanism);
  });
}

void Driver::Impl::CountEnd(EndReason reason) {
  if (std::exchange(end_counted_, true)) return;
  if (was_open_) {
    return Count([&](LifeStats& stats) { LifeStats::Count(stats.ended, reason); });
  }
  if (reason == EndReason::kAdmin || reason == EndReason::kDrain) return;
  const Stage stage = ReachedStage();
  Count([&](LifeStats& stats) { LifeStats::Count(stats.failed, stage); });
}

// REQUIRES: it was never open.
Stage Driver::Impl::ReachedStage() const {
  if (engine_) return Stage::kOpen;
  if (!early_->started) return Stage::kTls;
  return early_->handshake.IsSasl() ? Stage::kSasl : Stage::kProtocol;
}

}  // namespace trunkline::conn
