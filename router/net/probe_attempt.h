#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "router/amqp/engine.h"
#include "router/net/descriptor.h"
#include "router/probe.h"
#include "router/tls/stage.h"

struct addrinfo;

namespace trunkline::net {

// One attempt to connect, step by step, with the parts that connections of the router are made of:
// TLS stage, handshake, engine. Waits for the network.
//
// Owned by its thread, and used by no other.
class ProbeAttempt {
 public:
  // Both outlive it. What can be read from `stop_fd` ends it.
  ProbeAttempt(const ProbeWish& wish, int stop_fd);
  ProbeAttempt(const ProbeAttempt&) = delete;
  ProbeAttempt& operator=(const ProbeAttempt&) = delete;
  ~ProbeAttempt();

  // All that was tried; the connection is closed.
  std::vector<ProbeStep> Run();

 private:
  // --- steps
  absl::Status Resolve();
  absl::Status Connect();
  absl::Status ConnectTo(const addrinfo& address, Time deadline);
  absl::Status Secure();
  absl::Status LogIn();
  absl::Status Open();
  void Tell(const amqp::Open& open);
  // Closes in order; what the peer says instead of agreeing.
  absl::Status Close(amqp::Engine& engine, BlockPool& pool);
  void HangUp();
  void Tell(std::string name, std::string value);

  // --- AMQP: what came, and what has to go
  struct Heard {
    bool opened = false;
    bool closed = false;
    std::string error;  // empty: none
  };
  absl::Status Exchange(amqp::Engine& engine, BlockPool& pool, Heard& heard);
  void Feed(amqp::Engine& engine, BlockPool& pool, Heard& heard);
  absl::Status Flush(amqp::Engine& engine);

  // --- bytes, through TLS if there is TLS
  absl::Status Send(std::string_view plaintext);
  // At least something comes into input_, or TLS has gone a step.
  absl::Status Receive();
  absl::Status SendRaw(absl::Span<const uint8_t> bytes);
  absl::StatusOr<size_t> ReceiveRaw(absl::Span<uint8_t> room);
  absl::Status WaitFor(short events, Time deadline);

  const ProbeWish& wish_;
  const int stop_fd_;
  Time deadline_;
  addrinfo* addresses_ = nullptr;
  Descriptor socket_;
  std::unique_ptr<tls::TlsStage> tls_;
  std::string input_;  // plaintext that nobody has taken yet
  std::vector<ProbeStep> steps_;
};

}  // namespace trunkline::net
