#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "router/amqp/events.h"
#include "router/amqp/performatives.h"
#include "router/amqp/types.h"

namespace trunkline::amqp {

class Session;

// a - b of two serial numbers (RFC 1982): negative if a comes before b.
constexpr int32_t SerialDistance(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b); }

// What a link needs only around attach and detach, and what the peer said before it was answered.
struct LinkAside {
  std::string name;  // until both attaches are done
  bool flow_came = false;
  bool echo = false;         // that flow asked for an answer
  bool detach_came = false;  // before our attach, and not reported
  Condition error;           // of that detach, or why the engine detached the link itself
};

// Credit that can be outstanding: serial numbers have no order beyond it.
inline constexpr uint32_t kCreditMax = INT32_MAX;

// One link endpoint: its state, credit arithmetic and the delivery that is under way on it. No I/O:
// the Session it belongs to reads and writes frames.
//
// Owned by the engine's list of links. Thread: the worker's.
struct Link {
  uint64_t user = 0;
  // The delivery that is not complete yet: its user (receivers).
  uint64_t partial_user = 0;
  uint64_t tags_used = 0;  // senders: the next delivery tag
  std::unique_ptr<LinkAside> aside;
  Session* session = nullptr;  // outlives the link
  LinkIndex index = 0;
  uint32_t handle = 0;         // ours
  uint32_t remote_handle = 0;  // valid with attach_received, until the peer's detach
  Role role = Role::kSender;   // ours

  bool open = false;  // attached by us, detached by nobody, the session not ended
  bool used = false;  // a delivery of it was unsettled

  bool attach_sent = false;
  bool attach_received = false;
  bool detach_sent = false;
  bool detach_received = false;
  bool remote_closed = false;  // the peer's detach said `closed`
  bool failed = false;         // detached by the engine, for a mistake of the peer
  bool reported = false;       // the owner knows this link
  bool over = false;           // the owner was told of its detach

  bool drain = false;     // senders: asked for. Receivers: we asked for it
  bool taken = false;     // receivers: the credit was taken back; what was sent before still counts
  bool flow_due = false;  // a flow has to go out, whatever the credit
  bool queued = false;    // listed for the next flush
  bool partial = false;   // a delivery has started and is not complete
  bool partial_settled = false;

  uint32_t partial_delivery = 0;
  uint32_t delivery_count = 0;  // the sender's, as far as known
  uint32_t credit = 0;          // deliveries that the sender may still start
  uint32_t grant = 0;           // receivers: credit that the peer does not know of yet
  uint64_t held_bytes = 0;      // receivers: payload that was not released

  // Receivers. Credit is worth announcing once the peer has used up half of what it would be
  // raised to; capacity 1 is renewed at once.
  bool FlowWorthwhile() const { return flow_due || (grant > 0 && credit <= grant); }
  void Grant(uint32_t more) {
    const uint64_t raised = uint64_t{credit} + grant + more;
    grant = static_cast<uint32_t>(std::min<uint64_t>(raised, kCreditMax)) - credit;
    // The last word counts: who grants after a drain wants deliveries again.
    if (drain && more > 0) [[unlikely]] {
      drain = false;
      flow_due = true;
    }
  }
  // The peer may start a delivery, and nothing but the delivery has to be looked at.
  bool TakesWhole() const {
    return open & !partial & !drain && role == Role::kReceiver && credit > 0;
  }

  // Takes the link part of a flow of the peer. Senders: the credit granted. Receivers: what the
  // peer gave up.
  void TakeFlow(const Flow& flow);
  // The answer to drain: what credit there is, is used up.
  void UseUpCredit();
  // Fills the link part of a flow of ours, and takes what was granted as announced.
  void FillFlow(Flow& flow);
};

}  // namespace trunkline::amqp
