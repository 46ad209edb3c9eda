#pragma once

#include <algorithm>
#include <cstdint>

#include "router/core/shard.h"

// Private to shard_*.cc: what several of them need inline.
namespace trunkline::core {

// How much of its input a copy does not need any more. The tails of both are the same: only
// annotations, at the front, differ.
inline uint64_t Position(const InDelivery& in, const OutDelivery& out) {
  return in.received - std::min(in.received, out.payload.bytes());
}

// From this many bytes on, those that wait for something else to come over the same connection are
// given back to the session window early, so that it can come.
inline uint64_t PressureMark(const Connection& connection) {
  return connection.info.session_window_bytes / 2;
}

// The copies of `in` that are left. `visit` may end the one it is given, not `in`.
template <typename Visit>
void Shard::ForEachCopy(InDelivery& in, Visit visit) {
  if (in.fan_out == InDelivery::kNoFanOut) {
    if (OutDelivery* out = out_deliveries_.Find(in.copy.delivery)) visit(*out);
    return;
  }
  for (const OutRef& ref : fan_outs_[in.fan_out]) {
    if (OutDelivery* out = out_deliveries_.Find(ref.delivery)) visit(*out);
  }
}

}  // namespace trunkline::core
