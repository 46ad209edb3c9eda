#pragma once

#include <cstdint>

#include "router/amqp/types.h"
#include "tests/sim/ledger.h"
#include "tests/sim/verdict.h"

namespace trunkline::sim {

// A producer is told one terminal outcome, is told nothing once it has settled or was told that it
// is settled, and what it is told is what its consumers said (spec routing section 5).
class Settlement {
 public:
  Settlement(const Ledger& ledger, Verdict& verdict) : ledger_(ledger), verdict_(verdict) {}

  // Before `message` is marked as finished.
  void OnTold(Message& message, amqp::OutcomeKind kind, bool settled);

  // Everything has come to rest: outcomes of producers agree with those of consumers.
  void AtRest();
  // Likewise: the router says that it gave so many outcomes.
  void CountedAtRest(uint64_t outcomes);

 private:
  static bool IsRefused(const Message& message);
  void CheckUnicast(const Message& message);
  void CheckMulticast(const Message& message);
  bool MayBeOfTheRouter(const Message& message) const;

  const Ledger& ledger_;
  Verdict& verdict_;
};

}  // namespace trunkline::sim
