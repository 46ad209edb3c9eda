#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "router/base/counter.h"

namespace trunkline::amqp {

// What a peer did that we answered with an error: broke a rule of AMQP, or went beyond a limit of
// ours. Each answer counts as one; what follows from it does not.
enum class Fault : uint8_t {
  kFraming,        // a frame header or protocol header that is none
  kMalformed,      // a performative that cannot be decoded, or is nested too deep
  kRules,          // what may not be said there: names, numbers and order
  kHangUp,         // ended the stream without a close
  kIdle,           // was silent for longer than the idle time-out
  kFrameSize,      // larger than our max-frame-size
  kSessions,       // a channel above our channel-max, or no channel of the peer's is left for us
  kHandles,        // a handle above our handle-max, or no handle of the peer's is left for us
  kLinks,          // more links on the connection than it may have
  kContainerId,    // longer than kContainerIdBytesMax
  kAddress,        // longer than kAddressBytesMax
  kDeliveryTag,    // longer than kDeliveryTagBytesMax
  kUnsettled,      // too many unsettled deliveries of a session, or for too long
  kDispositions,   // about the same deliveries again and again
  kSessionWindow,  // frames beyond the session's window
  kLinkCredit,     // a delivery without credit
};
inline constexpr size_t kFaults = 16;

// How far the answer went.
enum class FaultScope : uint8_t { kConnection, kSession, kLink };
inline constexpr size_t kFaultScopes = 3;

// Of all connections of one worker. Written by the worker, read by anyone.
struct FaultCounts {
  std::array<Counter, kFaults> by_fault;
  std::array<Counter, kFaultScopes> by_scope;

  void Count(Fault fault, FaultScope scope) {
    by_fault[static_cast<size_t>(fault)].Add();
    by_scope[static_cast<size_t>(scope)].Add();
  }
};

}  // namespace trunkline::amqp
