#include "router/conn/driver.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/conn/driver_impl.h"

namespace trunkline::conn {
namespace {

std::unique_ptr<tls::TlsStage> MakeStage(const DriverOptions& options) {
  if (options.inbound) return tls::TlsStage::Server(options.tls, options.tls_server);
  return tls::TlsStage::Client(options.tls, options.tls_client);
}

std::string Describe(const amqp::Condition& error) {
  if (error.description.empty()) return error.name;
  return absl::StrCat(error.name, ": ", error.description);
}

}  // namespace

Driver::Impl::Impl(const DriverOptions& options, core::Shard& shard, Workspace& workspace)
    : workspace_(workspace),
      stats_(options.stats),
      bridge_(shard, workspace, options.tag),
      early_(std::make_unique<Early>(options)),
      max_frame_size_(options.max_frame_size),
      inbound_(options.inbound) {
  bridge_.Touch();
  plain_.SetSecret(true);
  if (options.tls == nullptr) {
    StartHandshake();
  } else {
    tls_ = std::make_unique<TlsPipe>(MakeStage(options), workspace);
  }
}

bool Driver::Impl::UseTls(std::shared_ptr<const tls::Context> context) {
  if (heard_ || tls_ == nullptr || tls_->HasSpoken() || phase_ != Phase::kHandshake) return false;
  if (early_->options.tls == context) return true;
  early_->options.tls = std::move(context);
  tls_ = std::make_unique<TlsPipe>(MakeStage(early_->options), workspace_);
  return true;
}

// --- output

void Driver::Impl::Flush(Time now) {
  if (trace_ != nullptr) [[unlikely]]
    trace_->SetTime(now);
  if (const std::unique_ptr<amqp::Condition> reason = bridge_.TakeCloseRequest()) {
    if (phase_ < Phase::kClosing) error_ = Describe(*reason);
    Close(*reason, EndReason::kLimit);
  }
  if (engine_) {
    // What the shard commanded may have consequences that only Next tells: credit that came before
    // an attach was answered.
    resumed_ |= OnEvents();
    resumed_ |= bridge_.SettleSent();
    engine_->Flush(now);
    CountFrames();
    CheckEngineClosed();
  }
  TickClosing(now);
  Encrypt();
  bridge_.Flushed();
}

int Driver::Impl::Gather(struct iovec* out, int max) {
  return tls_ ? tls_->output().Gather(out, max) : GatherPlain(out, max);
}

bool Driver::Impl::Wrote(size_t n) {
  if (tls_) {
    tls_->output().Consume(n);
    Encrypt();
  } else {
    ConsumePlain(n);
  }
  const bool resumed = std::exchange(resumed_, false);
  return bridge_.ResumeBelow(OutputBytes()) || resumed;
}

bool Driver::Impl::HasOutput() const {
  if (given_up_) return false;
  if (!tls_) return PlainBytes() > 0;
  return tls_->HasOutput() || (tls_->CanEncrypt() && PlainBytes() > 0);
}

// Turns plaintext into ciphertext as long as there is not too much of that; then, at the end of the
// connection, says that nothing follows.
void Driver::Impl::Encrypt() {
  if (!tls_) return;
  while (tls_->output().bytes() < kOutputHigh) {
    absl::Span<const uint8_t> plaintext;
    if (tls_->CanEncrypt()) plaintext = NextPlaintext();
    if (plaintext.empty() && phase_ == Phase::kClosed) tls_->Shutdown();
    if (plaintext.empty() && !tls_->HasNews()) break;
    const size_t taken = tls_->Encrypt(plaintext);
    ConsumePlain(taken);
    if (taken < plaintext.size() && !tls_->CanEncrypt()) break;
  }
  bridge_.SetCiphertextBytes(tls_->output().bytes());
}

// The plaintext of the next record: in place when that is a whole record, else gathered.
absl::Span<const uint8_t> Driver::Impl::NextPlaintext() {
  std::array<iovec, 64> parts;
  const int count = GatherPlain(parts.data(), static_cast<int>(parts.size()));
  if (count == 0) return {};
  auto& record = workspace_.record;
  if (count == 1 || parts[0].iov_len >= record.size()) {
    return {static_cast<const uint8_t*>(parts[0].iov_base),
            std::min(parts[0].iov_len, record.size())};
  }
  size_t size = 0;
  for (int i = 0; i < count && size < record.size(); ++i) {
    const size_t part = std::min(parts[i].iov_len, record.size() - size);
    std::memcpy(record.data() + size, parts[i].iov_base, part);
    size += part;
  }
  return {record.data(), size};
}

int Driver::Impl::GatherPlain(struct iovec* out, int max) {
  int count = 0;
  if (!greeting_.empty() && max > 0) {
    out[0] = {greeting_.data(), greeting_.size()};
    count = 1;
  }
  if (engine_) count += engine_->output().Gather(out + count, max - count);
  return count;
}

void Driver::Impl::ConsumePlain(size_t n) {
  if (trace_ != nullptr) [[unlikely]]
    TraceWritten(n);
  said_ |= n > 0;
  if (!greeting_.empty()) {
    const size_t part = std::min(n, greeting_.size());
    n -= part;
    greeting_.erase(0, part);
    if (greeting_.empty()) {
      Wipe(greeting_);
      std::string().swap(greeting_);
    }
  }
  if (n > 0) engine_->output().Consume(n);
}

uint64_t Driver::Impl::PlainBytes() const {
  return greeting_.size() + (engine_ ? engine_->output().bytes() : 0);
}

// --- life

void Driver::Impl::SetPhase(Phase phase) { phase_ = std::max(phase_, phase); }

void Driver::Impl::OnClosed(const amqp::Condition& error) {
  const bool silent = engine_->PeerFellSilent();
  CountEnd(peer_closed_ ? EndReason::kPeer : silent ? EndReason::kIdleTimeout : EndReason::kError);
  bridge_.Close();
  if (error_.empty() && phase_ < Phase::kClosing) error_ = Describe(error);
  SetPhase(Phase::kClosing);
}

void Driver::Impl::Fail(std::string error) {
  CountEnd(EndReason::kError);
  if (error_.empty() && phase_ < Phase::kClosing) error_ = std::move(error);
  bridge_.Close();
  SetPhase(Phase::kClosed);
}

void Driver::Impl::Close(const amqp::Condition& error, EndReason reason) {
  if (phase_ >= Phase::kClosing) return;
  CountEnd(reason);
  bridge_.Touch();
  bridge_.Close();
  if (!spoken_) return SetPhase(Phase::kClosed);
  engine_->Close(error);
  SetPhase(Phase::kClosing);
}

void Driver::Impl::CheckEngineClosed() {
  if (!engine_->IsClosed()) return;
  bridge_.Close();
  SetPhase(Phase::kClosed);
}

bool Driver::Impl::Finished() const {
  if (phase_ != Phase::kClosed) return false;
  return given_up_ || (!HasOutput() && (!tls_ || tls_->is_shut_down()));
}

Time Driver::Impl::Tick(Time now) {
  Time next = std::min(TickHandshake(now), TickClosing(now));
  if (engine_ && phase_ != Phase::kClosed) {
    next = std::min(next, engine_->Tick(now));
    OnEvents();
    bridge_.Touch();
    next = std::min(next, TickClosing(now));
  }
  return next;
}

Time Driver::Impl::TickHandshake(Time now) {
  if (!early_ || phase_ != Phase::kHandshake) return kNever;
  const Time denial = early_->handshake.Tick(now);
  if (early_->handshake.state() == Handshake::State::kFailed) {
    bridge_.Touch();
    FollowHandshake();
    return kNever;
  }
  const Duration limit = early_->options.handshake_timeout;
  if (limit == Duration{}) return denial;
  if (early_->deadline == kNever) early_->deadline = now + limit;
  if (now < early_->deadline) return std::min(denial, early_->deadline);
  constexpr std::string_view kText = "Timeout waiting for initial handshake";
  error_ = kText;
  Count([](LifeStats& stats) { stats.handshake_timeouts.Add(); });
  Close({std::string(amqp::condition::kNotAllowed), std::string(kText), {}}, EndReason::kError);
  return kNever;
}

// Gives up a peer that does not answer our close or does not take our last bytes.
Time Driver::Impl::TickClosing(Time now) {
  if (phase_ < Phase::kClosing || given_up_) return kNever;
  if (close_deadline_ == kNever) close_deadline_ = now + kCloseTimeout;
  if (now < close_deadline_) return close_deadline_;
  SetPhase(Phase::kClosed);
  given_up_ = true;
  return kNever;
}

std::string Driver::Impl::tls_description() const {
  if (!tls_ || !tls_->IsUp()) return {};
  const tls::PeerInfo peer = tls_->peer();
  return absl::StrCat(peer.protocol, " ", peer.cipher);
}

std::string Driver::Impl::peer_subject() const {
  return tls_ && tls_->IsUp() ? tls_->peer().subject : std::string();
}

// --- the public face

Driver::Driver(const DriverOptions& options, core::Shard& shard, Workspace& workspace)
    : impl_(std::make_unique<Impl>(options, shard, workspace)) {}
Driver::~Driver() = default;

absl::Span<uint8_t> Driver::Room() { return impl_->Room(); }
void Driver::Received(size_t n) { impl_->Received(n); }
void Driver::InputEnded() { impl_->InputEnded(); }
void Driver::Parse(Time now) { impl_->Parse(now); }
bool Driver::WantsInput() const { return impl_->WantsInput(); }
void Driver::Flush(Time now) { impl_->Flush(now); }
int Driver::Gather(struct iovec* out, int max) { return impl_->Gather(out, max); }
bool Driver::Wrote(size_t n) { return impl_->Wrote(n); }
bool Driver::HasOutput() const { return impl_->HasOutput(); }
bool Driver::UseTls(std::shared_ptr<const tls::Context> context) {
  return impl_->UseTls(std::move(context));
}
void Driver::Answer(AuthAnswer answer, Time now) { impl_->Answer(std::move(answer), now); }
Time Driver::Tick(Time now) { return impl_->Tick(now); }
void Driver::Close(const amqp::Condition& error, EndReason reason) { impl_->Close(error, reason); }
void Driver::Quiesce() { impl_->Quiesce(); }
void Driver::TraceFrames(FrameTrace::Source source,
                         std::vector<std::shared_ptr<FrameQueue>> queues) {
  impl_->TraceFrames(source, std::move(queues));
}
Phase Driver::phase() const { return impl_->phase(); }
bool Driver::WasOpen() const { return impl_->WasOpen(); }
bool Driver::Finished() const { return impl_->Finished(); }
bool Driver::PeerIsDone() const { return impl_->PeerIsDone(); }
bool Driver::IsGivenUp() const { return impl_->IsGivenUp(); }
bool Driver::IsProbe() const { return impl_->IsProbe(); }
const std::string& Driver::error() const { return impl_->error(); }
const std::string& Driver::container_id() const { return impl_->container_id(); }
const std::string& Driver::user() const { return impl_->user(); }
std::string Driver::tls_description() const { return impl_->tls_description(); }
const std::string& Driver::mechanism() const { return impl_->mechanism(); }
std::string Driver::peer_subject() const { return impl_->peer_subject(); }
const amqp::Open* Driver::remote_open() const { return impl_->remote_open(); }
Driver::Traffic Driver::traffic() const { return impl_->traffic(); }
const core::Connection* Driver::connection() const { return impl_->connection(); }

}  // namespace trunkline::conn
