#include "router/conn/handshake.h"

#include <algorithm>
#include <utility>

namespace trunkline::conn {
namespace {

constexpr std::string_view kAnonymous = "ANONYMOUS";
constexpr std::string_view kExternal = "EXTERNAL";

bool Names(const std::vector<std::string>& mechanisms, std::string_view name) {
  return std::find(mechanisms.begin(), mechanisms.end(), name) != mechanisms.end();
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
  const std::vector<std::string>& named = options.sasl_mechanisms;
  std::vector<std::string> offered;
  if (named.empty()) {
    if (peer_verified) offered.emplace_back(kExternal);
    if (!options.require_sasl) offered.emplace_back(kAnonymous);
    return offered;
  }
  for (const std::string& name : named) {
    if (name == kExternal && peer_verified) offered.push_back(name);
    if (name == kAnonymous && !options.require_sasl) offered.push_back(name);
  }
  return offered;
}

std::vector<std::string> UsableMechanisms(const DriverOptions& options) {
  const std::vector<std::string>& named = options.sasl_mechanisms;
  std::vector<std::string> usable;
  const bool certificate = options.tls != nullptr && options.tls->has_certificate();
  if (certificate && Names(named, kExternal)) usable.emplace_back(kExternal);
  if (named.empty() || Names(named, kAnonymous)) usable.emplace_back(kAnonymous);
  return usable;
}

void Handshake::Start(const tls::PeerInfo* peer) {
  if (peer != nullptr && peer->certificate_verified) {
    const bool by_format = !options_.tls->options().uid_format.empty();
    external_identity_ = by_format ? peer->user_id : peer->subject;
    peer_verified_ = !external_identity_.empty();
  }
  if (options_.inbound) return;
  sasl_ = true;
  client_.emplace(amqp::SaslClientOptions{.mechanisms = UsableMechanisms(options_),
                                          .hostname = options_.hostname,
                                          .authorization = {}});
  output_ += client_->TakeOutput();
}

size_t Handshake::Push(std::string_view bytes) {
  if (state_ != State::kNegotiating || bytes.empty()) return 0;
  if (server_ || client_) return PushSasl(bytes);
  return ReadHeader(bytes);
}

std::string Handshake::TakeOutput() { return std::exchange(output_, {}); }

size_t Handshake::ReadHeader(std::string_view bytes) {
  const std::string_view header = bytes.substr(0, amqp::kAmqpHeader.size());
  if (amqp::kSaslHeader.starts_with(header)) {
    if (header.size() < amqp::kSaslHeader.size()) return 0;
    StartServer();
    return server_ ? PushSasl(bytes) : 0;
  }
  if (amqp::kAmqpHeader.starts_with(header)) {
    if (header.size() < amqp::kAmqpHeader.size()) return 0;
    if (options_.require_sasl) {
      Refuse("no SASL layer, which is required here");
    } else {
      state_ = State::kDone;
    }
    return 0;
  }
  Refuse(Describe(header));
  return 0;
}

void Handshake::StartServer() {
  sasl_ = true;
  std::vector<std::string> mechanisms = OfferedMechanisms(options_, peer_verified_);
  if (mechanisms.empty()) {
    output_.append(amqp::kSaslHeader);
    return Fail("no SASL mechanism to offer: there is no verified certificate of the peer");
  }
  server_.emplace(amqp::SaslServerOptions{
      .mechanisms = std::move(mechanisms),
      .external_identity = peer_verified_ ? std::optional(external_identity_) : std::nullopt});
}

size_t Handshake::PushSasl(std::string_view bytes) {
  amqp::SaslExchange& sasl = server_ ? static_cast<amqp::SaslExchange&>(*server_) : *client_;
  const size_t used = sasl.Push(bytes);
  amqp::SaslStep step;
  if (sasl.Next(step)) {  // no mechanism is offered or used that takes steps
    if (server_) server_->Fail(amqp::SaslCode::kAuth);
    if (client_) client_->Fail("mechanism is not supported");
  }
  output_ += sasl.TakeOutput();
  if (sasl.state() == amqp::SaslState::kFailed) Fail(sasl.error());
  if (sasl.state() == amqp::SaslState::kDone) {
    if (server_) user_ = server_->identity();
    state_ = State::kDone;
  }
  return used;
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
