#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/amqp/performatives.h"
#include "router/base/secret.h"

namespace trunkline::amqp {

// The first eight bytes of a connection say which layer follows (part 2, section 2.2).
inline constexpr std::string_view kAmqpHeader{"AMQP\x00\x01\x00\x00", 8};
inline constexpr std::string_view kSaslHeader{"AMQP\x03\x01\x00\x00", 8};

enum class SaslState : uint8_t {
  kNegotiating,
  kDone,    // what follows in either direction starts with the AMQP header
  kFailed,  // flush the output, then hang up
};

// Bytes of a mechanism that the SASL layer does not know itself, for its owner to work on.
struct SaslStep {
  ~SaslStep() { Wipe(bytes); }

  std::string mechanism;
  bool first = false;                // server: the init. Client: before the init, `bytes` is empty
  bool last = false;                 // client: the server is content; `bytes` came with its outcome
  std::optional<std::string> bytes;  // server: initial response or response, so it may be
                                     // a password; client: challenge
  std::optional<std::string> hostname;  // server, with `first`
};

// What both ends of a SASL exchange (part 5, section 5.3) have in common: frames in, frames out,
// one step at a time. A peer's mistake ends in kFailed, with error().
//
// Owned by a conn::Driver, dropped when done. No I/O, no clock. Thread: the worker's.
class SaslExchange {
 public:
  // SASL frames are at most 512 bytes by the specification; some clients send larger ones, and
  // tickets need them: one that lists the groups of a Windows domain has some 10 KiB, at most 48.
  static constexpr uint32_t kFrameBytesMax = 4096;
  static constexpr uint32_t kTicketFrameBytesMax = 65536;
  // Challenges of one exchange.
  static constexpr int kRoundsMax = 32;

  SaslExchange(const SaslExchange&) = delete;
  SaslExchange& operator=(const SaslExchange&) = delete;

  // Reads whole frames and returns how many bytes they took; the rest has to be presented again,
  // followed by more. Stops behind the last frame of SASL, and where a step waits for its answer.
  size_t Push(std::string_view bytes);
  // A step that waits for its answer: Reply, Finish or Fail. Reported once.
  bool Next(SaslStep& step);
  // Bytes to be written to the peer; empties the store.
  std::string TakeOutput();

  SaslState state() const { return state_; }
  // The mechanism in use; empty before the init.
  const std::string& mechanism() const { return mechanism_; }
  // kFailed: why, for the log.
  const std::string& error() const { return error_; }

 protected:
  explicit SaslExchange(uint32_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}
  ~SaslExchange() { Wipe(output_); }

  virtual void OnHeader() = 0;
  virtual void OnFrame(Descriptor descriptor, std::string_view body) = 0;

  // Ends the exchange without a word to the peer.
  void Abort(std::string error);
  void Ask(SaslStep step);
  void WriteFrame(std::string body);

  SaslState state_ = SaslState::kNegotiating;
  bool header_read_ = false;
  bool waiting_ = false;   // the owner has to answer a step
  bool reported_ = false;  // Next told it
  int rounds_ = 0;
  SaslStep step_;
  std::string mechanism_;
  std::string error_;
  std::string output_;

 private:
  const uint32_t frame_bytes_max_;

  size_t ReadHeader(std::string_view bytes);
  // One frame from the front of `bytes`: its size, or 0 if it is not whole or not SASL.
  size_t ReadFrame(std::string_view bytes);
};

struct SaslServerOptions {
  std::vector<std::string> mechanisms;  // offered in this order; EXTERNAL only with an identity
  std::optional<std::string> external_identity;  // what TLS says about the peer
  uint32_t frame_bytes_max = SaslExchange::kFrameBytesMax;
};

// The accepting end. ANONYMOUS and EXTERNAL are answered here, every other mechanism in steps.
class SaslServer final : public SaslExchange {
 public:
  explicit SaslServer(SaslServerOptions options);
  ~SaslServer() = default;

  // --- answers to a step
  void Reply(std::string_view challenge);
  // The peer is `identity`; `additional` goes with the outcome (SCRAM's server signature).
  void Finish(std::string identity, std::optional<std::string> additional = std::nullopt);
  void Fail(SaslCode code);

  // Who the peer is, when done. Empty: anonymous.
  const std::string& identity() const { return identity_; }

 private:
  void OnHeader() override;
  void OnFrame(Descriptor descriptor, std::string_view body) override;
  void OnInit(const SaslInit& init);
  void OnExternal(std::string_view authorization);
  void WriteOutcome(SaslCode code, std::optional<std::string> additional);

  SaslServerOptions options_;
  std::string identity_;
};

struct SaslClientOptions {
  std::vector<std::string> mechanisms;  // what may be used, best first
  std::string hostname;                 // of the init; empty: none
  std::string authorization;  // EXTERNAL: the identity asked for; empty: the certificate's
  uint32_t frame_bytes_max = SaslExchange::kFrameBytesMax;
};

// The connecting end. Uses the first of its mechanisms that the server offers.
class SaslClient final : public SaslExchange {
 public:
  explicit SaslClient(SaslClientOptions options);
  ~SaslClient() = default;

  // --- answers to a step. The first one is the initial response, absent if the mechanism has none;
  // the last one is Finish or Fail.
  void Reply(const std::optional<std::string>& response);
  void Finish();
  void Fail(std::string error);

  // kFailed by the server's word: its code.
  std::optional<SaslCode> code() const { return code_; }

 private:
  void OnHeader() override {}
  void OnFrame(Descriptor descriptor, std::string_view body) override;
  void OnMechanisms(const SaslMechanisms& offered);
  void OnOutcome(SaslOutcome outcome);
  void OnPlainChallenge();
  void WriteInit(const std::optional<std::string>& response);

  // What an anonymous peer says of itself.
  static constexpr char kAnonymousTrace[] = "anonymous";

  SaslClientOptions options_;
  bool init_sent_ = false;
  std::optional<SaslCode> code_;
};

}  // namespace trunkline::amqp
