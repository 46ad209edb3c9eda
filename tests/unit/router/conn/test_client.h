#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/amqp/engine.h"
#include "router/amqp/sasl.h"
#include "router/base/payload.h"
#include "router/sasl/session.h"
#include "router/tls/stage.h"

namespace trunkline::conn::test {

// A delivery as a client received it.
struct Received {
  std::string bytes;
  uint32_t delivery = 0;
  uint32_t format = 0;
  std::string tag;
  bool settled = false;
  bool complete = false;
  bool aborted = false;
};

// What a client's delivery came to.
struct Settled {
  uint64_t user = 0;
  amqp::OutcomeKind outcome = amqp::OutcomeKind::kNone;
  std::string raw;
  bool settled = false;
};

// One link of a client and all it has seen.
struct ClientLink {
  bool attached = false;
  amqp::Attach attach;  // the router's answer
  bool detached = false;
  bool closed = false;
  amqp::Condition error;
  uint32_t credit = 0;  // as the router granted it last
  bool drain = false;
  std::vector<Received> received;
  std::vector<Settled> outcomes;
  bool accepts = true;  // settles what is complete as accepted, at once
};

struct ClientOptions {
  bool sasl = false;
  std::vector<std::string> mechanisms = {"ANONYMOUS"};
  std::string user;  // of mechanisms with a password
  std::string password;
  std::shared_ptr<const tls::Context> tls;
  tls::ClientOptions tls_client;
  uint32_t max_frame_size = 16384;
  Duration idle_timeout;
  bool speaks_amqp = true;  // false: stops before the AMQP header
};

// An AMQP client without I/O, from the engine's own parts: TLS, SASL, engine. Acts on events at
// once, keeps what it saw.
class Client {
 public:
  Client(BlockPool& pool, ClientOptions options);

  // --- wire
  void Push(std::string_view bytes, Time now);
  std::string Pull(Time now);
  void Tick(Time now);

  // --- what a test does
  uint16_t Begin() { return engine_->BeginSession(); }
  amqp::LinkIndex Sender(std::optional<std::string> address) {
    return Start(SenderAttach(std::move(address)));
  }
  amqp::LinkIndex Receiver(std::optional<std::string> address, uint32_t credit = 100);
  static amqp::Attach SenderAttach(std::optional<std::string> address);
  static amqp::Attach ReceiverAttach(std::optional<std::string> address);
  amqp::LinkIndex Start(amqp::Attach attach);
  // Queued until there is credit and room.
  void Send(amqp::LinkIndex link, std::string bytes, bool settled = false);

  // --- what it saw
  amqp::Engine& engine() { return *engine_; }
  ClientLink& link(amqp::LinkIndex index) { return links_[index]; }
  const std::string& sasl_error() const { return sasl_->error(); }
  bool opened() const { return opened_; }
  bool closed() const { return closed_; }
  const amqp::Condition& close_error() const { return close_error_; }
  const amqp::Condition& failure() const { return failure_; }
  const amqp::Open& remote_open() const { return engine_->remote_open(); }
  std::string tls_error() const { return tls_ ? tls_->error() : std::string(); }
  bool tls_closed() const { return tls_->state() == tls::TlsStage::State::kPeerClosed; }

 private:
  struct Queued {
    amqp::LinkIndex link;
    Payload payload;
    std::string bytes;
    amqp::Outgoing outgoing;
  };

  void PushPlain(std::string_view bytes, Time now);
  void LogIn();
  void PushFrames(Time now);
  void OnEvent(const amqp::Event& event);
  void OnTransfer(const amqp::Event& event);
  void SendQueued();
  std::string PullPlain(Time now);

  BlockPool& pool_;
  ClientOptions options_;
  std::unique_ptr<tls::TlsStage> tls_;
  std::optional<amqp::SaslClient> sasl_;
  std::unique_ptr<sasl::Session> login_;
  std::unique_ptr<amqp::Engine> engine_;
  std::string input_;
  std::string output_;  // plaintext that TLS has not taken
  std::map<amqp::LinkIndex, ClientLink> links_;
  std::deque<Queued> queued_;
  std::deque<std::string> sent_;  // bytes that the output may share, until it is pulled
  std::optional<uint16_t> session_;
  uint64_t next_user_ = 1;
  bool opened_ = false;
  bool closed_ = false;
  amqp::Condition close_error_;
  amqp::Condition failure_;
};

}  // namespace trunkline::conn::test
