#include "router/amqp/sasl.h"

#include <algorithm>
#include <utility>

#include "router/amqp/codec.h"
#include "router/amqp/engine_frames.h"

namespace trunkline::amqp {
namespace {

constexpr uint8_t kFrameTypeSasl = 1;
constexpr std::string_view kAnonymous = "ANONYMOUS";
constexpr std::string_view kExternal = "EXTERNAL";

std::string_view TextOf(SaslCode code) {
  switch (code) {
    case SaslCode::kOk:
      return "ok";
    case SaslCode::kAuth:
      return "authentication failed";
    case SaslCode::kSys:
      return "system error";
    case SaslCode::kSysPerm:
      return "permanent system error";
    case SaslCode::kSysTemp:
      return "temporary system error";
  }
  return "unknown outcome";
}

// A body to write `response` to. It will not grow: that would leave a copy of a password behind.
std::string BodyFor(const std::optional<std::string>& response) {
  std::string body;
  body.reserve(SaslExchange::kFrameBytesMax + (response ? response->size() : 0));
  return body;
}

bool Contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

// --- both ends

size_t SaslExchange::Push(std::string_view bytes) {
  size_t used = 0;
  if (!header_read_) used = ReadHeader(bytes);
  while (header_read_ && state_ == SaslState::kNegotiating && !waiting_) {
    const size_t n = ReadFrame(bytes.substr(used));
    if (n == 0) break;
    used += n;
  }
  return used;
}

size_t SaslExchange::ReadHeader(std::string_view bytes) {
  if (state_ != SaslState::kNegotiating || bytes.size() < kSaslHeader.size()) return 0;
  if (!bytes.starts_with(kSaslHeader)) {
    output_ += kSaslHeader;
    Abort("not a SASL header");
    return 0;
  }
  header_read_ = true;
  OnHeader();
  return kSaslHeader.size();
}

size_t SaslExchange::ReadFrame(std::string_view bytes) {
  if (bytes.size() < kFrameHeaderBytes) return 0;
  const uint8_t* header = reinterpret_cast<const uint8_t*>(bytes.data());
  const uint32_t size = LoadBe32(header);
  const uint32_t body = uint32_t{header[4]} * 4;
  if (size > frame_bytes_max_ || body < kFrameHeaderBytes || body > size ||
      header[5] != kFrameTypeSasl) {
    Abort("malformed SASL frame");
    return 0;
  }
  if (bytes.size() < size) return 0;
  const std::string_view text = bytes.substr(body, size - body);
  const absl::StatusOr<Descriptor> descriptor = PeekDescriptor(text);
  if (!descriptor.ok()) {
    Abort("malformed SASL frame");
    return 0;
  }
  OnFrame(*descriptor, text);
  return size;
}

bool SaslExchange::Next(SaslStep& step) {
  if (!waiting_ || reported_) return false;
  reported_ = true;
  step = step_;
  Wipe(step_.bytes);
  step_ = {};
  return true;
}

std::string SaslExchange::TakeOutput() { return std::exchange(output_, {}); }

void SaslExchange::Abort(std::string error) {
  state_ = SaslState::kFailed;
  waiting_ = false;
  error_ = std::move(error);
}

void SaslExchange::Ask(SaslStep step) {
  if (++rounds_ > kRoundsMax) return Abort("too many challenges");
  step.mechanism = mechanism_;
  step_ = std::move(step);
  waiting_ = true;
  reported_ = false;
}

void SaslExchange::WriteFrame(std::string body) {
  uint8_t header[kFrameHeaderBytes] = {0, 0, 0, 0, kFrameHeaderBytes / 4, kFrameTypeSasl};
  StoreBe32(header, kFrameHeaderBytes + static_cast<uint32_t>(body.size()));
  MoveBehind(output_, std::string(reinterpret_cast<const char*>(header), sizeof header));
  MoveBehind(output_, std::move(body));
}

// --- the accepting end

SaslServer::SaslServer(SaslServerOptions options)
    : SaslExchange(options.frame_bytes_max), options_(std::move(options)) {
  if (!options_.external_identity.has_value()) std::erase(options_.mechanisms, kExternal);
}

void SaslServer::OnHeader() {
  output_ += kSaslHeader;
  std::string body;
  Encode(SaslMechanisms{options_.mechanisms}, body);
  WriteFrame(std::move(body));
}

void SaslServer::OnFrame(Descriptor descriptor, std::string_view body) {
  if (descriptor == Descriptor::kSaslInit && mechanism_.empty()) {
    const absl::StatusOr<SaslInit> init = ParseSaslInit(body);
    if (!init.ok()) return Abort("malformed sasl-init");
    return OnInit(*init);
  }
  if (descriptor != Descriptor::kSaslResponse || mechanism_.empty()) {
    return Abort("unexpected SASL frame");
  }
  absl::StatusOr<std::string> response = ParseSaslResponse(body);
  if (!response.ok()) return Abort("malformed sasl-response");
  Ask({.bytes = *std::move(response)});
}

void SaslServer::OnInit(const SaslInit& init) {
  if (!Contains(options_.mechanisms, init.mechanism)) {
    mechanism_ = init.mechanism;
    return Fail(SaslCode::kAuth);
  }
  mechanism_ = init.mechanism;
  if (mechanism_ == kAnonymous) return Finish({});
  if (mechanism_ == kExternal) return OnExternal(init.initial_response.value_or(""));
  Ask({.first = true, .bytes = init.initial_response, .hostname = init.hostname});
}

// The peer may name the identity that it has, and no other. One that says nothing, not even that it
// says nothing, is not asked: there are clients that do not understand the question.
void SaslServer::OnExternal(std::string_view authorization) {
  const std::string& identity = *options_.external_identity;
  if (authorization.empty() || authorization == identity) return Finish(identity);
  Fail(SaslCode::kAuth);
}

void SaslServer::Reply(std::string_view challenge) {
  if (state_ != SaslState::kNegotiating) return;
  waiting_ = false;
  std::string body;
  EncodeSaslChallenge(challenge, body);
  WriteFrame(std::move(body));
}

void SaslServer::Finish(std::string identity, std::optional<std::string> additional) {
  if (state_ != SaslState::kNegotiating) return;
  identity_ = std::move(identity);
  WriteOutcome(SaslCode::kOk, std::move(additional));
  state_ = SaslState::kDone;
  waiting_ = false;
}

void SaslServer::Fail(SaslCode code) {
  if (state_ != SaslState::kNegotiating) return;
  WriteOutcome(code, std::nullopt);
  Abort(std::string(TextOf(code)));
}

void SaslServer::WriteOutcome(SaslCode code, std::optional<std::string> additional) {
  std::string body;
  Encode(SaslOutcome{.code = code, .additional_data = std::move(additional)}, body);
  WriteFrame(std::move(body));
}

// --- the connecting end

SaslClient::SaslClient(SaslClientOptions options)
    : SaslExchange(options.frame_bytes_max), options_(std::move(options)) {
  output_ += kSaslHeader;
}

void SaslClient::OnFrame(Descriptor descriptor, std::string_view body) {
  if (descriptor == Descriptor::kSaslMechanisms && mechanism_.empty()) {
    const absl::StatusOr<SaslMechanisms> offered = ParseSaslMechanisms(body);
    if (!offered.ok()) return Abort("malformed sasl-mechanisms");
    return OnMechanisms(*offered);
  }
  if (mechanism_.empty()) return Abort("unexpected SASL frame");
  if (descriptor == Descriptor::kSaslChallenge) {
    absl::StatusOr<std::string> challenge = ParseSaslChallenge(body);
    if (!challenge.ok()) return Abort("malformed sasl-challenge");
    if (mechanism_ == kAnonymous || mechanism_ == kExternal) return OnPlainChallenge();
    return Ask({.bytes = *std::move(challenge)});
  }
  if (descriptor != Descriptor::kSaslOutcome) return Abort("unexpected SASL frame");
  absl::StatusOr<SaslOutcome> outcome = ParseSaslOutcome(body);
  if (!outcome.ok()) return Abort("malformed sasl-outcome");
  OnOutcome(*std::move(outcome));
}

// A mechanism may have the server prove something, too.
void SaslClient::OnOutcome(SaslOutcome outcome) {
  code_ = outcome.code;
  if (outcome.code != SaslCode::kOk) return Abort(std::string(TextOf(outcome.code)));
  if (mechanism_ == kAnonymous || mechanism_ == kExternal) return Finish();
  Ask({.last = true, .bytes = std::move(outcome.additional_data)});
}

void SaslClient::OnMechanisms(const SaslMechanisms& offered) {
  const auto chosen =
      std::find_if(options_.mechanisms.begin(), options_.mechanisms.end(),
                   [&](const std::string& ours) { return Contains(offered.mechanisms, ours); });
  if (chosen == options_.mechanisms.end()) return Abort("no mechanism in common");
  mechanism_ = *chosen;
  if (mechanism_ == kAnonymous) return WriteInit(std::string(kAnonymousTrace));
  if (mechanism_ == kExternal) return WriteInit(options_.authorization);
  Ask({.first = true});
}

// A server that asks again what the init has told.
void SaslClient::OnPlainChallenge() {
  if (++rounds_ > kRoundsMax) return Abort("too many challenges");
  std::string body;
  EncodeSaslResponse(mechanism_ == kExternal ? options_.authorization : kAnonymousTrace, body);
  WriteFrame(std::move(body));
}

void SaslClient::WriteInit(const std::optional<std::string>& response) {
  SaslInit init{.mechanism = mechanism_, .initial_response = response};
  if (!options_.hostname.empty()) init.hostname = options_.hostname;
  std::string body = BodyFor(response);
  Encode(init, body);
  WriteFrame(std::move(body));
  init_sent_ = true;
}

void SaslClient::Reply(const std::optional<std::string>& response) {
  if (state_ != SaslState::kNegotiating) return;
  waiting_ = false;
  if (!init_sent_) return WriteInit(response);
  std::string body = BodyFor(response);
  EncodeSaslResponse(response ? std::string_view(*response) : std::string_view(), body);
  WriteFrame(std::move(body));
}

void SaslClient::Finish() {
  if (state_ != SaslState::kNegotiating) return;
  state_ = SaslState::kDone;
  waiting_ = false;
}

void SaslClient::Fail(std::string error) { Abort(std::move(error)); }

}  // namespace trunkline::amqp
