#pragma once

#include <cstddef>
#include <vector>

#include "router/specs.h"

namespace trunkline::net {

// Whom a connector dials next, and when (spec routing section 11.2): the first attempt at once;
// each candidate twice, then the one behind it; after the last the first again. Pure.
class DialSchedule {
 public:
  explicit DialSchedule(const ConnectorSpec& spec);

  const HostPort& Candidate() const { return candidates_[current_]; }
  // The attempt did not reach open. Returns how long to wait before the next.
  Duration Failed();
  // The connection had been open and is gone. Begins with the same candidate.
  Duration Closed();

 private:
  static constexpr int kTriesEach = 2;

  std::vector<HostPort> candidates_;
  Duration failed_;
  Duration closed_;
  size_t current_ = 0;
  int tries_ = 0;  // of the current candidate
};

}  // namespace trunkline::net
