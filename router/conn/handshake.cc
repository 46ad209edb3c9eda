#include "router/conn/handshake.h"

#include <algorithm>
#include <utility>

#include "router/sasl/mechanisms.h"

namespace trunkline::conn {
namespace {

constexpr std::string_view kAnonymous = "ANONYMOUS";
constexpr std::string_view kExternal = "EXTERNAL";

// As far as they suit.
const std::vector<std::string>& Defaults() {
  static const auto* const defaults = new std::vector<std::string>{
      "EXTERNAL", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "ANONYMOUS"};
  return *defaults;
}

bool Names(const std::vector<std::string>& mechanisms, std::string_view name) {
  return std::find(mechanisms.begin(), mechanisms.end(), name) != mechanisms.end();
}

uint32_t FrameBytesMax(const std::vector<std::string>& mechanisms) {
  return Names(mechanisms, sasl::kGssapi) ? amqp::SaslExchange::kTicketFrameBytesMax
                                          : amqp::SaslExchange::kFrameBytesMax;
}

// What it was that came instead of a protocol header that is spoken here.
std::string Describe(std::string_view bytes) {
  if (bytes.starts_with("\x16\x03")) return "TLS on a plaintext AMQP port";
  if (!bytes.starts_with("AMQP")) return "not an AMQP protocol header";
  if (bytes.size() > 4 && bytes[4] == 2) return "TLS upgrade by protocol header is not supported";
  return "unsupported protocol header";
}

}  // namespace

std::vector<std::string> OfferedMechanisms(const DriverOptions& options, bool peer_verified) {
  const bool may_be_seen = options.tls != nullptr || options.allow_insecure_plain;
  const auto suits = [&](std::string_view name) {
    if (name == kExternal) return peer_verified;
    if (name == kAnonymous) return !options.require_sasl;
    if (name == sasl::kGssapi) return options.authenticator != nullptr;
    return options.users != nullptr && (may_be_seen || !sasl::IsPlaintext(name));
  };
  std::vector<std::string> offered =
      options.sasl_mechanisms.empty() ? Defaults() : options.sasl_mechanisms;
  std::erase_if(offered, [&](const std::string& name) { return !suits(name); });
  return offered;
}

std::vector<std::string> UsableMechanisms(const DriverOptions& options) {
  const std::vector<std::string>& named = options.sasl_mechanisms;
  const bool has_user = !options.sasl_user.empty();
  std::vector<std::string> usable;
  const bool certificate = options.tls != nullptr && options.tls->has_certificate();
  if (certificate && Names(named, kExternal)) usable.emplace_back(kExternal);
  const bool may_be_seen = options.tls != nullptr || options.allow_insecure_plain;
  for (const std::string& name : named.empty() ? Defaults() : named) {
    if (name == kExternal || name == kAnonymous) continue;
    const bool by_password = has_user && (may_be_seen || !sasl::IsPlaintext(name));
    if (by_password || name == sasl::kGssapi) usable.push_back(name);
  }
  const bool anonymous = named.empty() ? !has_user : Names(named, kAnonymous);
  if (anonymous) usable.emplace_back(kAnonymous);
  return usable;
}

Handshake::~Handshake() {
  if (login_begun_) options_.authenticator->Abandoned(options_.peer_address, last_post_);
  Wipe(output_);
}

void Handshake::Start(const tls::PeerInfo* peer) {
  if (peer != nullptr && peer->certificate_verified) {
    const bool by_format = !options_.tls->options().uid_format.empty();
    external_identity_ = by_format ? peer->user_id : peer->subject;
    peer_verified_ = !external_identity_.empty();
  }
  if (options_.inbound) return;
  sasl_ = true;
  std::vector<std::string> mechanisms = UsableMechanisms(options_);
  const uint32_t frame_bytes_max = FrameBytesMax(mechanisms);
  client_.emplace(amqp::SaslClientOptions{.mechanisms = std::move(mechanisms),
                                          .hostname = options_.hostname,
                                          .authorization = {},
                                          .frame_bytes_max = frame_bytes_max});
  MoveBehind(output_, client_->TakeOutput());
}

size_t Handshake::Push(std::string_view bytes, Time now) {
  if (state_ != State::kNegotiating || waiting_ || bytes.empty()) return 0;
  if (!server_ && !client_) ReadHeader(bytes);
  return server_ || client_ ? PushSasl(bytes, now) : 0;
}

std::string Handshake::TakeOutput() { return std::exchange(output_, {}); }

void Handshake::ReadHeader(std::string_view bytes) {
  const std::string_view header = bytes.substr(0, amqp::kAmqpHeader.size());
  const bool whole = header.size() == amqp::kAmqpHeader.size();
  if (amqp::kSaslHeader.starts_with(header)) {
    if (whole) StartServer();
  } else if (!amqp::kAmqpHeader.starts_with(header)) {
    Refuse(Describe(header));
  } else if (whole && options_.require_sasl) {
    Refuse("no SASL layer, which is required here");
  } else if (whole) {
    state_ = State::kDone;
  }
}

void Handshake::StartServer() {
  sasl_ = true;
  std::vector<std::string> mechanisms = OfferedMechanisms(options_, peer_verified_);
  if (mechanisms.empty()) {
    output_.append(amqp::kSaslHeader);
    return Fail("no SASL mechanism to offer: there is no verified certificate of the peer");
  }
  const uint32_t frame_bytes_max = FrameBytesMax(mechanisms);
  server_.emplace(amqp::SaslServerOptions{
      .mechanisms = std::move(mechanisms),
      .external_identity = peer_verified_ ? std::optional(external_identity_) : std::nullopt,
      .frame_bytes_max = frame_bytes_max});
}

amqp::SaslExchange& Handshake::sasl() {
  return server_ ? static_cast<amqp::SaslExchange&>(*server_) : *client_;
}

size_t Handshake::PushSasl(std::string_view bytes, Time now) {
  const size_t used = sasl().Push(bytes);
  amqp::SaslStep step;
  if (sasl().Next(step)) Post(std::move(step), now);
  Follow();
  return used;
}

// --- steps of mechanisms with passwords

void Handshake::Post(amqp::SaslStep step, Time now) {
  if (step.first && !MakeSession(step.mechanism)) {
    if (server_) server_->Fail(amqp::SaslCode::kAuth);
    if (client_) client_->Fail("mechanism is not supported");
    return;
  }
  waiting_ = true;
  last_step_ = step.last;
  AuthStep posted;
  posted.tag = options_.tag;
  posted.session = std::move(session_);
  posted.mechanism = step.mechanism;
  if (step.bytes) {
    posted.bytes.emplace().reserve(kOutOfObject);
    posted.bytes->append(*step.bytes);
  }
  posted.first = step.first;
  posted.last = step.last;
  posted.distant = !options_.inbound && step.mechanism == sasl::kGssapi;
  if (options_.inbound) posted.address = options_.peer_address;
  login_begun_ |= options_.inbound;
  last_post_ = now;
  options_.authenticator->Post(std::move(posted), now);
}

bool Handshake::MakeSession(const std::string& mechanism) {
  if (options_.authenticator == nullptr) return false;
  if (client_) {
    session_ = sasl::Session::Client({.mechanism = mechanism,
                                      .host = options_.hostname,
                                      .user = options_.sasl_user,
                                      .password = options_.sasl_password});
  } else {
    session_ = sasl::Session::Server({.mechanism = mechanism, .users = options_.users});
  }
  return true;
}

void Handshake::Take(AuthAnswer answer, Time now) {
  if (!waiting_ || denial_due_ != kNever) return;
  waiting_ = false;
  session_ = std::move(answer.session);
  if (server_) {
    TakeAsServer(answer, now);
  } else {
    TakeAsClient(answer);
  }
  Follow();
}

void Handshake::TakeAsServer(AuthAnswer& answer, Time now) {
  login_begun_ = false;
  if (answer.refusal == AuthAnswer::Refusal::kQueueFull) {
    return Deny(amqp::SaslCode::kSysTemp, "too many logins wait", now);
  }
  if (answer.refusal == AuthAnswer::Refusal::kFailures) {
    return Deny(amqp::SaslCode::kSysTemp, "too many failed logins of this address", now);
  }
  sasl::Answer& said = answer.answer;
  login_begun_ = said.verdict == sasl::Verdict::kContinue;
  switch (said.verdict) {
    case sasl::Verdict::kContinue:
      return server_->Reply(said.bytes.value_or(std::string()));
    case sasl::Verdict::kOk:
      return server_->Finish(std::move(said.user), std::move(said.bytes));
    case sasl::Verdict::kDenied:
      return Deny(amqp::SaslCode::kAuth, {}, now);
    case sasl::Verdict::kError:
      return Deny(amqp::SaslCode::kSysTemp, "SASL: " + said.detail, now);
  }
}

void Handshake::TakeAsClient(const AuthAnswer& answer) {
  const sasl::Answer& said = answer.answer;
  our_fault_ =
      answer.refusal != AuthAnswer::Refusal::kNone || said.verdict == sasl::Verdict::kError;
  if (our_fault_)
    return client_->Fail("SASL: " + (said.detail.empty() ? "too many logins wait" : said.detail));
  if (last_step_ && said.verdict == sasl::Verdict::kOk) return client_->Finish();
  if (!last_step_ && said.verdict == sasl::Verdict::kContinue) return client_->Reply(said.bytes);
  client_->Fail("SASL: the server does not prove that it knows the password");
}

void Handshake::Deny(amqp::SaslCode code, std::string error, Time now) {
  waiting_ = true;
  our_fault_ = code != amqp::SaslCode::kAuth;
  denial_ = code;
  denial_due_ = now + kDenialDelay;
  error_ = std::move(error);
}

Time Handshake::Tick(Time now) {
  if (denial_due_ == kNever || now < denial_due_) return denial_due_;
  denial_due_ = kNever;
  waiting_ = false;
  server_->Fail(denial_);
  Follow();
  return kNever;
}

// What the exchange has come to.
void Handshake::Follow() {
  MoveBehind(output_, sasl().TakeOutput());
  if (sasl().state() == amqp::SaslState::kFailed) Fail(error_.empty() ? sasl().error() : error_);
  if (sasl().state() == amqp::SaslState::kDone) {
    if (server_) user_ = server_->identity();
    state_ = State::kDone;
  }
}

// Answers with the header that would have been right (part 2, section 2.2).
void Handshake::Refuse(std::string error) {
  output_.append(options_.require_sasl ? amqp::kSaslHeader : amqp::kAmqpHeader);
  Fail(std::move(error));
}

void Handshake::Fail(std::string error) {
  state_ = State::kFailed;
  error_ = std::move(error);
}

}  // namespace trunkline::conn
