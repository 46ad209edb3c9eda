#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "tests/sim/ledger.h"
#include "tests/sim/verdict.h"

namespace trunkline::sim {

// What one producer sends to one consumer comes in order and once; and a message that goes to one
// consumer only, goes to one consumer only.
//
// What was on its way to a consumer of another shard that has left is forwarded again, and may then
// come behind what another consumer got before the producer's shard knew that. What was sent after
// it knew must wait.
class Order {
 public:
  Order(const Ledger& ledger, Verdict& verdict) : ledger_(ledger), verdict_(verdict) {}

  // The first bytes of `message` came to `consumer`; before it is entered among its receptions.
  void OnReceived(const ConsumerLink& consumer, const Message& message);

 private:
  struct Last {
    uint32_t next = 0;        // number
    uint64_t started_at = 0;  // of the one before that
  };

  const Ledger& ledger_;
  Verdict& verdict_;
  std::map<std::pair<uint32_t, uint32_t>, Last> last_;  // by producer and consumer
};

}  // namespace trunkline::sim
