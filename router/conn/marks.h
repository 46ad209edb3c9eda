#pragma once

#include <cstdint>

namespace trunkline::conn {

// Bytes of one connection that are encoded and not written. Above the high mark no delivery is
// taken from the shard; at or below the low mark they go on. Above the last one nothing is read
// either: the peer makes us answer and does not listen. That one lies much higher, so that two
// routers that send to each other at full speed never both stop reading.
inline constexpr uint64_t kOutputHigh = 256 * 1024;
inline constexpr uint64_t kOutputLow = 64 * 1024;
inline constexpr uint64_t kOutputStop = 1024 * 1024;

}  // namespace trunkline::conn
