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
// none. Anonymous links are never stopped for want of a destination, nor are those to the router's
// own addresses, where every delivery is answered by the router.
inline uint32_t CreditDue(const InLink& link, const CreditTerms& terms) {
  if (link.owed == 0 || terms.quiesced || terms.pressed || link.held > terms.held_max) return 0;
  return link.anonymous || link.control || link.destination.Usable() ? link.owed : 0;
}

}  // namespace trunkline::core
