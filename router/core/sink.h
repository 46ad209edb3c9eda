#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "router/amqp/types.h"
#include "router/base/payload.h"

namespace trunkline::core {

// The connection's name for one of its links; given to the shard at attach, unique among live links
// of that connection.
using LinkToken = uint32_t;

// How an attach ends: with the address granted, or refused.
struct AttachAnswer {
  amqp::Condition refused;             // empty: granted
  std::optional<std::string> address;  // of a dynamic terminus: the one the router made
};

// One delivery, or its next part, offered to a connection.
struct SendRequest {
  uint64_t user = 0;  // OutDelivery handle, packed; names the delivery in later dispositions
  uint32_t message_format = 0;
  bool settled = false;
  bool complete = false;
  bool aborted = false;
  uint64_t bytes_max = 0;      // quantum
  Payload* payload = nullptr;  // taken from the front as it is written
  bool started = false;        // in and out
  uint32_t delivery = 0;       // out, valid once started: the connection's name for the delivery
};

enum class SendOutcome : uint8_t {
  kSent,     // complete (or aborted) on the wire
  kPartial,  // all of `payload` is written, more of the delivery is to come
  kQuantum,  // bytes_max reached: later in this turn or in the next
  kBlocked,  // session window or output mark: the connection calls Shard::Resume
  kNoCredit,
};

// What a shard asks of a connection. Implemented by conn::Bridge, and by small fakes in tests.
// Calls come during Shard::Emit, Adopt, Accept, and from within the Bridge's own calls; none
// re-enters the shard.
//
// Thread: the shard's.
class Sink {
 public:
  virtual ~Sink() = default;

  virtual void Attached(LinkToken link, const AttachAnswer& answer) = 0;
  // Ends a link that was attached.
  virtual void Detach(LinkToken link, const amqp::Condition& error) = 0;

  // Incoming links: more credit; what is left is to be used up or given back (drain); none of what
  // is left is to be used until it is given back (what was sent before the producer knows still
  // counts against it); bytes of the link's session may be received again; an outcome for the
  // producer.
  virtual void Grant(LinkToken link, uint32_t credit) = 0;
  virtual void Drain(LinkToken link) = 0;
  virtual void TakeCredit(LinkToken link) = 0;
  virtual void GiveCreditBack(LinkToken link) = 0;
  virtual void Release(LinkToken link, uint64_t bytes) = 0;
  virtual void SettleIn(LinkToken link, uint32_t delivery, const amqp::Outcome& outcome,
                        bool settled) = 0;
  // An incoming link has to go and its connection with it: message too large (spec routing section
  // 3).
  virtual void Close(const amqp::Condition& error) = 0;

  // Outgoing links: a delivery; the producer's side of its settlement; unused credit is given back.
  virtual SendOutcome Send(LinkToken link, SendRequest& request) = 0;
  virtual void SettleOut(LinkToken link, uint32_t delivery, const amqp::Outcome& outcome,
                         bool settled) = 0;
  virtual void Drained(LinkToken link) = 0;
};

}  // namespace trunkline::core
