#pragma once

#include <cstdint>

#include "tests/sim/ledger.h"
#include "tests/sim/verdict.h"

namespace trunkline::sim {

// A producer never has more credit than its link's capacity, deliveries that are not settled
// included. (That a consumer gets no more than it granted is checked by its engine, which would
// detach the link.)
class Credit {
 public:
  Credit(const Ledger& ledger, Verdict& verdict) : ledger_(ledger), verdict_(verdict) {}

  // The credit that the producer has right now. Dispositions of the same flush come later, so what
  // they settle cannot be counted.
  void OnGranted(const ProducerLink& producer, uint32_t credit);
  // At rest, nothing is under way: what it may send and what is not settled. `reachable`: there is
  // somebody for what it sends, so it has more than half of that.
  void AtRest(const ProducerLink& producer, uint32_t credit, bool reachable);

 private:
  const Ledger& ledger_;
  Verdict& verdict_;
};

}  // namespace trunkline::sim
