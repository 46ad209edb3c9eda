#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "router/amqp/faults.h"
#include "router/base/counter.h"
#include "router/tls/stage.h"

namespace trunkline::conn {

// What an attempt did not get past.
enum class Stage : uint8_t {
  kTls,
  kSasl,
  kProtocol,  // what came is not AMQP, or nothing came
  kOpen,
};
inline constexpr size_t kStages = 4;

// Why a connection that was open is not.
enum class EndReason : uint8_t {
  kPeer,  // said close
  kIdleTimeout,
  kError,  // of the stream, TLS or AMQP
  kAdmin,  // an order, or a changed configuration
  kDrain,  // the router stops
  kLimit,  // a message larger than allowed
};
inline constexpr size_t kEndReasons = 6;

enum class Mechanism : uint8_t {
  kAnonymous,
  kExternal,
  kPlain,
  kScramSha1,
  kScramSha256,
  kOther,  // or none in common
};
inline constexpr size_t kMechanisms = 6;

// How connections came and went, by their drivers. Written by one worker, read by anyone.
struct LifeStats {
  std::array<Counter, 2> opened;           // by whether the peer came to us
  std::array<Counter, kEndReasons> ended;  // of those that were open
  std::array<Counter, kStages> failed;     // attempts that were not, unless we gave them up
  Counter handshake_timeouts;              // of those that failed
  Counter probes;  // peers that came and went without a byte: load balancers look so; no failures
  std::array<std::array<Counter, tls::kHandshakeResults>, 2> tls_handshakes;  // [inbound][result]
  std::array<Counter, kMechanisms> sasl_ok;
  std::array<Counter, kMechanisms> sasl_denied;  // by what the peer said
  std::array<Counter, kMechanisms> sasl_error;   // here: too much to do, or a store that fails

  template <size_t kSize, typename Kind>
  static void Count(std::array<Counter, kSize>& counters, Kind kind) {
    counters[static_cast<size_t>(kind)].Add();
  }
};

// What happened to all connections of one worker since start.
struct ConnStats : LifeStats {
  Counter frames_in;  // of AMQP; those of SASL and protocol headers are not in it
  Counter frames_out;
  amqp::FaultCounts faults;  // what peers that speak AMQP did wrong
};

}  // namespace trunkline::conn
