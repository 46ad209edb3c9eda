#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "router/tls/context.h"

namespace trunkline::tls {

// How one session is set up, beyond what its Context says.
struct ServerOptions {
  // kRequest and kRequire verify what the client shows against the CA of the context; without a CA
  // nobody is trusted.
  ClientAuth client_auth = ClientAuth::kNone;
};
struct ClientOptions {
  std::string server_name;  // SNI, and the name verified; an IP address is verified as such, not
                            // sent as SNI
  bool verify_peer = true;  // the chain, against the context's CA or, without one, the system's
  bool verify_hostname = true;  // the name as well; means nothing without verify_peer
};

// What is known of the peer once the handshake is done.
struct PeerInfo {
  std::string protocol;  // "TLSv1.3"
  std::string cipher;    // OpenSSL's name
  int cipher_bits = 0;
  std::string sni;                    // server side
  std::string subject;                // RFC 2253; empty without a certificate
  std::string user_id;                // by ContextOptions::uid_format; empty if none
  bool certificate_verified = false;  // there is one, and it was checked; without this no user_id
};

// How a handshake ended.
enum class HandshakeResult : uint8_t {
  kOk,
  kNoClientCertificate,
  kUnknownCa,
  kExpired,  // the peer's certificate
  kProtocol,
  kOther,
};
inline constexpr size_t kHandshakeResults = 6;

// One TLS session over memory: OpenSSL never sees a socket. Ciphertext goes in by Read and comes
// out by Write; neither keeps a reference to the spans it is given.
//
// Owned by a connection's driver. Thread: its worker's. OpenSSL errors end in kFailed, with a text.
class TlsStage {
 public:
  enum class State : uint8_t {
    kHandshake,
    kOpen,
    kPeerClosed,  // close_notify came: nothing more is read, what we have may still be written
    kFailed,      // see error(). An alert may wait in the output: flush, then hang up
  };
  // Bytes that one call took from its `in` and put into its `out`.
  struct Step {
    size_t consumed = 0;
    size_t produced = 0;
  };

  // Never null: what cannot be set up is in kFailed at once. The client's first flight is ready.
  static std::unique_ptr<TlsStage> Server(std::shared_ptr<const Context> context,
                                          const ServerOptions& options);
  static std::unique_ptr<TlsStage> Client(std::shared_ptr<const Context> context,
                                          const ClientOptions& options);
  ~TlsStage();
  TlsStage(const TlsStage&) = delete;
  TlsStage& operator=(const TlsStage&) = delete;

  // Takes ciphertext from `in` and writes plaintext to `out` until one runs out or the record is
  // incomplete (what is taken of an incomplete record is kept inside). Advances the handshake.
  // Plaintext that came before a failure or close_notify is produced by the call that meets it;
  // later calls swallow their input. With an empty `out` only the handshake advances.
  Step Read(absl::Span<const uint8_t> in, absl::Span<uint8_t> out);
  // True when plaintext is left inside that did not fit into `out`.
  bool HasPlaintext() const;
  // Encrypts `in` into records in `out`: consumes what fits; records of at most 16 KiB. Consumes
  // nothing before kOpen, after Shutdown and after a failure. Produces
  // handshake and alert bytes that are due before anything else, so call it with an empty `in` too.
  // `out` should have room for 17 KiB.
  Step Write(absl::Span<const uint8_t> in, absl::Span<uint8_t> out);
  // True when Write has something to produce even with an empty `in`.
  bool HasOutput() const;
  // Until this is called, plaintext is overwritten inside as soon as it was read: it may be a
  // password. That costs as much as copying it.
  void KeepPlaintext();
  // Queues close_notify.
  void Shutdown();

  State state() const { return state_; }
  // Valid in kOpen.
  PeerInfo peer() const;
  // The peer's certificate, for people to look at; empty: it showed none. Valid in kOpen.
  std::string PeerCertificatePem() const;
  // Of kFailed: what happened, for the log. Holds no secrets.
  const std::string& error() const { return error_; }
  // Likewise, for counters: what a handshake failed of.
  HandshakeResult failure() const { return failure_; }

 private:
  struct Session;
  TlsStage();

  bool Start(std::shared_ptr<const Context> context);
  bool SetServerName(const ClientOptions& options);
  void Handshake();
  void Judge(int result);
  void Fail(std::string text, HandshakeResult failure = HandshakeResult::kOther);
  static size_t NextRecord(size_t left, size_t room, bool first);
  bool WriteRecord(absl::Span<const uint8_t> plaintext);

  std::unique_ptr<Session> session_;
  std::shared_ptr<const Context> context_;
  State state_ = State::kHandshake;
  HandshakeResult failure_ = HandshakeResult::kOk;
  std::string error_;
};

}  // namespace trunkline::tls
