#pragma once

#include <string_view>

#include "tests/sim/ledger.h"
#include "tests/sim/verdict.h"

namespace trunkline::sim {

// Nothing is lost, nothing is made up: what arrives is what was sent, byte for byte, and every
// unsettled delivery of a producer that stays ends in a terminal outcome, or was aborted by it.
class Conservation {
 public:
  Conservation(const Ledger& ledger, Verdict& verdict) : ledger_(ledger), verdict_(verdict) {}

  struct Arrival {
    std::string_view bare;  // from where the bare message begins
    bool complete = false;  // else it was aborted
  };
  // `message` is null if too little of it came to know it.
  void OnReceived(const ConsumerLink& consumer, const Message* message, Arrival arrival);

  // Everything has come to rest with all clients reading, granting and settling.
  void AtRest();

 private:
  const Ledger& ledger_;
  Verdict& verdict_;
};

}  // namespace trunkline::sim
