#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "router/amqp/performatives.h"
#include "router/amqp/types.h"
#include "router/base/secret.h"
#include "router/base/time.h"
#include "router/conn/authenticator.h"
#include "router/conn/frame_trace.h"
#include "router/conn/stats.h"
#include "router/conn/workspace.h"
#include "router/core/shard.h"
#include "router/sasl/users.h"
#include "router/tls/stage.h"

namespace trunkline::conn {

struct DriverOptions {
  bool inbound = true;  // accepted; else dialled
  uint64_t tag = 0;     // how the owner knows it; given in Workspace::touched
  std::string router_id;
  std::string hostname;  // dialled: open.hostname
  uint64_t connection_id = 0;
  std::string properties;  // raw map of our open
  core::ConnectionInfo info;
  std::shared_ptr<const tls::Context> tls;  // null: plaintext
  tls::ServerOptions tls_server;
  tls::ClientOptions tls_client;
  std::vector<std::string> sasl_mechanisms;  // empty: see OfferedMechanisms, UsableMechanisms
  bool require_sasl = false;                 // no bare AMQP header, no ANONYMOUS
  bool allow_insecure_plain = false;         // passwords may go over the wire as they are
  std::shared_ptr<const sasl::Users> users;  // accepted: null, nobody has a password
  std::string peer_address;                  // accepted: whose failed logins are limited
  std::string sasl_user;                     // dialled: empty, we have no password
  Secret sasl_password;
  Authenticator* authenticator = nullptr;  // outlives the driver; null: passwords are of no use
  // Counted to as well as to the workspace's: those of the listener or connector. Outlives the
  // driver; null: nobody asks.
  LifeStats* stats = nullptr;
  Duration idle_timeout;       // zero: none
  Duration handshake_timeout;  // until the AMQP open; zero: none
  uint32_t max_frame_size = 16384;
  uint16_t channel_max = 32767;
  uint32_t session_window_bytes = 1u << 20;
  uint32_t max_links = 32768;  // both directions, all sessions
};

// Where a connection is in its life; only forward.
enum class Phase : uint8_t { kHandshake, kOpen, kClosing, kClosed };

// One AMQP connection as a byte machine: (TLS) → SASL → Engine → Bridge → Shard. No sockets, no
// clock. How a worker uses it in one turn:
//
//   read:   for each readable socket: while the quantum lasts: n = read(Room()), Received(n)
//           (end of stream or a socket error: InputEnded), unless !WantsInput()
//   parse:  Parse(now) of each that was read from or ended
//   ...     Shard::Accept, timers → Tick, Shard::Emit
//   flush:  for each tag in Workspace::touched, and each socket that became writable: Flush(now),
//           then writev(Gather()), Wrote(n); destroy it when Finished()
//
// Owned by net::Socket (or by a simulated client). Thread: its worker's.
class Driver {
 public:
  // The first Tick starts the handshake time-out.
  Driver(const DriverOptions& options, core::Shard& shard, Workspace& workspace);
  // Closes the shard's side if that has not happened.
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // --- input: read from the peer into Room(), then Received(n); parsed by Parse, later in the
  // turn. What Room returns is void as soon as another driver of the workspace is called. Room is
  // never empty; usually it has 16 to 64 KiB.
  absl::Span<uint8_t> Room();
  void Received(size_t n);
  // The peer will send nothing more, or the socket failed. Takes effect in the next Parse.
  void InputEnded();
  void Parse(Time now);
  // False while so much output is unwritten that reading has to wait.
  bool WantsInput() const;

  // --- output. Flush encodes what is pending; then write Gather() and say how much went out, if
  // only 0. Either may let links go on that waited: Wrote returns true if so, then Shard::Emit has
  // to run again before the worker sleeps.
  void Flush(Time now);
  int Gather(struct iovec* out, int max);
  bool Wrote(size_t n);
  bool HasOutput() const;

  // Has the handshake use this context. False: its first byte has come, or was made to go.
  bool UseTls(std::shared_ptr<const tls::Context> context);

  // The answer to a step that was posted to the authenticator.
  void Answer(AuthAnswer answer, Time now);

  // Time-outs and heartbeats; returns the next deadline. To be called once after construction,
  // after Answer and Close, when the phase changed, and at the deadline.
  Time Tick(Time now);

  // AMQP close with `error`; kClosed once the peer answered or is given up (5 s). `reason` counts.
  void Close(const amqp::Condition& error, EndReason reason = EndReason::kAdmin);
  // No more credit to producers; see Router::Drain.
  void Quiesce();
  // Frames are told to these from here on; to nobody, if there are none.
  void TraceFrames(FrameTrace::Source source, std::vector<std::shared_ptr<FrameQueue>> queues);

  Phase phase() const;
  // The peer has been here: its open came while there was time for it.
  bool WasOpen() const;
  // kClosed and nothing left to write, or the peer does not take it: hang up.
  bool Finished() const;
  // The peer has said its last word: AMQP close, or the end of its stream.
  bool PeerIsDone() const;
  // Finished with something left to write, or without the peer's answer: it had its time.
  bool IsGivenUp() const;
  // The peer came and went without a byte, which is no failure.
  bool IsProbe() const;
  // Of a connection that failed: why, for the log and the event. Empty: closed in order.
  const std::string& error() const;
  const std::string& container_id() const;  // the peer's; empty until open
  const std::string& user() const;          // authenticated id; empty: anonymous
  std::string tls_description() const;      // "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: plaintext
  // For whoever looks at connections.
  const std::string& mechanism() const;   // of SASL, once it is done; empty: none was spoken
  std::string peer_subject() const;       // of its certificate; empty: it showed none
  const amqp::Open* remote_open() const;  // null until it has come
  struct Traffic {
    uint64_t frames_in = 0;
    uint64_t frames_out = 0;
    uint64_t output_bytes = 0;  // not written yet
    uint32_t sessions = 0;
    Time last_input;   // bytes
    Time last_output;  // frames
  };
  Traffic traffic() const;
  // Null until it is open, and when it closes.
  const core::Connection* connection() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::conn
