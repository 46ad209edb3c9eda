#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "control/cli/amqp_peer.h"

namespace trunkline::cli {

// The parts of a message that people write and read. Ids are as text, whatever type they have.
struct AmqpMessage {
  std::string body;
  bool is_binary = false;  // a data section; otherwise a value, as text
  std::string to, subject, reply_to, id, correlation_id, content_type;
  std::map<std::string, std::string> properties;  // of the application
  int64_t ttl_ms = 0;                             // 0: none
  uint32_t delivery_count = 0;
  bool durable = false;
};

// What became of a message that was sent.
struct AmqpOutcome {
  enum class Kind { kAccepted, kRejected, kReleased, kModified, kNone };
  Kind kind = Kind::kNone;  // kNone: settled without one
  std::string error;        // "text (condition)"; empty: none was told
};

// What each connection has: at most one link either way.
struct AmqpLinks {
  enum class Target { kNone, kAddress, kOwnSource, kAnyone };  // kAnyone: where messages say (`to`)
  enum class Source { kNone, kAddress, kTemporary };
  Target target = Target::kNone;
  Source source = Source::kNone;
  std::string target_address, source_address;  // of kAddress
  bool presettled = false;                     // messages that are sent
};

// What happens on connections, by their number from 0. Called within AmqpClient::Run; each may use
// Send and AddCredit of the connection that it is called for, and Stop.
class AmqpEvents {
 public:
  virtual ~AmqpEvents() = default;
  // Its links are open.
  virtual void OnReady(size_t /*connection*/) {}
  // It may send.
  virtual void OnCredit(size_t /*connection*/) {}
  virtual void OnOutcome(size_t /*connection*/, uint64_t /*number*/, const AmqpOutcome&) {}
  enum class Answer { kAccept, kRelease };
  // What comes after Stop is released, and not told.
  virtual Answer OnMessage(size_t /*connection*/, AmqpMessage&&) { return Answer::kRelease; }
  // Once in a while, of each connection that is ready.
  virtual void OnTick(size_t /*connection*/) {}
  // Ctrl-C, the first; the second ends the process. May use Stop alone.
  virtual void OnInterrupt() = 0;
};

// Connections to one peer, for commands that send and receive; the only place of trunkctl that
// knows Proton.
//
// Thread: one, that of Run, in which all of the events come.
class AmqpClient {
 public:
  AmqpClient(const AmqpPeer& peer, const AmqpLinks& links);
  ~AmqpClient();
  AmqpClient(const AmqpClient&) = delete;
  AmqpClient& operator=(const AmqpClient&) = delete;

  struct Load {
    size_t connections = 1;
    int64_t tick_ms = 20;
  };
  // Until Stop, or until a connection fails. What was given to Stop, or: Unavailable (nobody there,
  // connection lost), DeadlineExceeded (links are not open in time), PermissionDenied (login or
  // access refused), NotFound, FailedPrecondition (link refused or ended), with the AMQP condition
  // as their reason.
  absl::Status Run(const Load& load, AmqpEvents& events);

  // How many messages it may send now.
  int Credit(size_t connection) const;
  // REQUIRES: Credit. `number` comes back with the outcome; none does of presettled ones.
  void Send(size_t connection, uint64_t number, const AmqpMessage& message);
  // So many messages more may come.
  void AddCredit(size_t connection, uint32_t messages);
  // Where answers come: the address of the source, "" before it is open.
  std::string SourceAddress(size_t connection) const;
  // Closes connections in order; the first status given counts.
  void Stop(absl::Status status);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// SASL mechanisms that can be named, as --help tells them: whether Proton was built with libsasl2,
// and what that has here.
std::string LoginMechanisms();

}  // namespace trunkline::cli
