#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "router/amqp/types.h"
#include "router/base/payload.h"
#include "router/base/time.h"
#include "router/core/shard.h"
#include "router/tls/stage.h"

namespace trunkline::conn {

struct DriverOptions {
  bool inbound = true;  // accepted; else dialled
  std::string router_id;
  std::string hostname;  // dialled: open.hostname
  uint64_t connection_id = 0;
  std::string properties;  // raw map of our open
  core::ConnectionInfo info;
  std::shared_ptr<const tls::Context> tls;  // null: plaintext
  tls::ServerOptions tls_server;
  tls::ClientOptions tls_client;
  std::vector<std::string> sasl_mechanisms;
  bool require_sasl = false;
  Duration idle_timeout;
  Duration handshake_timeout;
  uint32_t max_frame_size = 16384;
  uint16_t channel_max = 32767;
  uint32_t session_window_bytes = 1u << 20;
};

// Where a connection is in its life; only forward.
enum class Phase : uint8_t { kHandshake, kOpen, kClosing, kClosed };

// One AMQP connection as a byte machine: (TLS) → SASL → Engine → Bridge → Shard. No sockets, no
// clock.
//
// Owned by net::Socket (or by a simulated client). Thread: its worker's.
class Driver {
 public:
  Driver(const DriverOptions& options, core::Shard& shard, BlockPool& pool);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // --- input: read from the peer into Room(), then Received(n); parsed by Parse, later in the
  // turn.
  absl::Span<uint8_t> Room();
  void Received(size_t n);
  void InputEnded();
  void Parse(Time now);

  // --- output. Flush encodes what is pending; then write Gather() and say how much went out. Wrote
  // may make room for links that waited for it.
  void Flush(Time now);
  int Gather(struct iovec* out, int max);
  void Wrote(size_t n);
  bool HasOutput() const;

  // Time-outs and heartbeats; returns the next deadline.
  Time Tick(Time now);

  // AMQP close with `error`; kClosed once the peer answered or is given up.
  void Close(const amqp::Condition& error);
  // No more credit to producers; see Router::Drain.
  void Quiesce();

  Phase phase() const;
  // kClosed and nothing left to write: hang up.
  bool Finished() const;
  // Of a connection that failed: why, for the log and the event.
  const std::string& error() const;
  const std::string& container_id() const;
  const std::string& user() const;
  std::string tls_description() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::conn
