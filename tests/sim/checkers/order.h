#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "tests/sim/ledger.h"
#include "tests/sim/verdict.h"

namespace trunkline::sim {

// What one producer sends to one consumer comes in order and once; and a message that goes to one
// consumer only, goes to one consumer only.
class Order {
 public:
  explicit Order(Verdict& verdict) : verdict_(verdict) {}

  // The first bytes of `message` came to `consumer`; before it is entered among its receptions.
  void OnReceived(const ConsumerLink& consumer, const Message& message);

 private:
  Verdict& verdict_;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> next_;  // by producer and consumer
};

}  // namespace trunkline::sim
