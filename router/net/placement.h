#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace trunkline::net {

// Which worker serves the next connection: the one with the fewest; of equals, the first.
// REQUIRES: there is one.
inline size_t LeastLoaded(absl::Span<const uint64_t> connections) {
  size_t least = 0;
  for (size_t i = 1; i < connections.size(); ++i) {
    if (connections[i] < connections[least]) least = i;
  }
  return least;
}

}  // namespace trunkline::net
