#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/amqp/sasl.h"
#include "router/base/time.h"
#include "router/conn/authenticator.h"
#include "router/conn/driver.h"
#include "router/tls/stage.h"

namespace trunkline::conn {

// SASL mechanisms of a listener, in the order in which they are offered: what it names, or what
// suits it: EXTERNAL, SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, ANONYMOUS. EXTERNAL needs a verified
// certificate of the peer; `require_sasl` excludes ANONYMOUS. Passwords need users, and those that
// go over the wire as they are need TLS or `allow_insecure_plain`. GSSAPI has to be named.
std::vector<std::string> OfferedMechanisms(const DriverOptions& options, bool peer_verified);
// SASL mechanisms of a connector, best first. EXTERNAL needs a certificate of our own, passwords a
// user; with a user, ANONYMOUS has to be named, and GSSAPI always.
std::vector<std::string> UsableMechanisms(const DriverOptions& options);

// What comes before the AMQP layer of a connection and above TLS: the protocol header (part 2,
// section 2.2) and SASL. Bytes in, bytes out.
//
// Steps that take long are posted to the authenticator; while one is under way nothing is read. A
// login that is denied is told kDenialDelay later, whatever the reason: trying costs time, and the
// time tells nothing.
//
// Owned by a Driver, dropped when the connection is open. Thread: the worker's.
class Handshake {
 public:
  enum class State : uint8_t {
    kNegotiating,
    kDone,    // what follows in either direction starts with the AMQP header
    kFailed,  // flush the output, then hang up
  };

  // `options` outlive this object.
  explicit Handshake(const DriverOptions& options) : options_(options) {}
  ~Handshake();
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

  // Bytes may flow: at once, or when TLS is up; then `peer` is what TLS knows.
  void Start(const tls::PeerInfo* peer);
  static constexpr Duration kDenialDelay = Seconds(1);

  // How many bytes were used; the rest has to be presented again, followed by more. Leaves the
  // AMQP header and what follows it alone.
  size_t Push(std::string_view bytes, Time now);
  // What became of a step that was posted.
  void Take(AuthAnswer answer, Time now);
  // Tells a denial that is due; returns when there is one to tell.
  Time Tick(Time now);
  // A step is under way, or a denial waits.
  bool IsWaiting() const { return waiting_; }
  // Bytes to be written to the peer; empties the store.
  std::string TakeOutput();

  State state() const { return state_; }
  // Who the peer is, when done; empty: anonymous.
  const std::string& user() const { return user_; }
  // SASL is spoken.
  bool IsSasl() const { return sasl_; }
  // Its mechanism; empty: there is none yet.
  std::string_view mechanism() const {
    if (server_) return server_->mechanism();
    return client_ ? std::string_view(client_->mechanism()) : std::string_view();
  }
  // Of kFailed: why, for the log.
  const std::string& error() const { return error_; }
  // Of kFailed: not for what the peer said.
  bool IsOurFault() const { return our_fault_; }

 private:
  void ReadHeader(std::string_view bytes);
  size_t PushSasl(std::string_view bytes, Time now);
  amqp::SaslExchange& sasl();
  void Post(amqp::SaslStep step, Time now);
  bool MakeSession(const std::string& mechanism);
  void TakeAsServer(AuthAnswer& answer, Time now);
  void TakeAsClient(const AuthAnswer& answer);
  void Deny(amqp::SaslCode code, std::string error, Time now);
  void Follow();
  void StartServer();
  void Refuse(std::string error);
  void Fail(std::string error);

  const DriverOptions& options_;
  State state_ = State::kNegotiating;
  bool sasl_ = false;
  bool peer_verified_ = false;
  bool waiting_ = false;
  bool last_step_ = false;  // the one under way
  bool our_fault_ = false;
  bool login_begun_ = false;  // of a peer, without a result so far
  Time last_post_;
  Time denial_due_ = kNever;
  amqp::SaslCode denial_ = amqp::SaslCode::kAuth;
  std::unique_ptr<sasl::Session> session_;  // null while it is away
  std::string external_identity_;
  std::optional<amqp::SaslServer> server_;
  std::optional<amqp::SaslClient> client_;
  std::string output_;
  std::string user_;
  std::string error_;
};

}  // namespace trunkline::conn
