#pragma once

#include <cstdint>

#include "router/core/link.h"

namespace trunkline::core {

// What limits the credit of all incoming links of a shard.
struct CreditTerms {
  uint64_t held_max = 0;  // bytes per link
  bool quiesced = false;  // the router is about to stop
  bool pressed = false;   // the process holds too much
};

// How much credit `link` is to be granted now (spec routing section 2): all that it is owed, or
// none.
inline uint32_t CreditDue(const InLink& link, const CreditTerms& terms) {
  if (link.owed == 0 || terms.quiesced || terms.pressed || link.held > terms.held_max) return 0;
  const bool granted = link.granting == Granting::kIfUsable ? link.destination.Usable()
                                                            : link.granting == Granting::kAlways;
  return granted ? link.owed : 0;
}

}  // namespace trunkline::core
