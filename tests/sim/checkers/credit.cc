#include "tests/sim/checkers/credit.h"

#include "absl/strings/str_cat.h"

namespace trunkline::sim {

void Credit::OnGranted(const ProducerLink& producer, uint32_t credit) {
  if (credit <= producer.capacity) return;
  verdict_.Fail("credit", absl::StrCat("producer ", producer.id, " has credit for ", credit,
                                       ", its capacity is ", producer.capacity));
}

void Credit::AtRest(const ProducerLink& producer, uint32_t credit, bool reachable) {
  uint32_t unsettled = 0;
  for (const Message& message : ledger_.messages()) {
    unsettled += message.producer == producer.id && message.started && !message.finished;
  }
  OnGranted(producer, credit + unsettled);
  // Up to half of it may wait to be said.
  const uint64_t said = uint64_t{credit} + unsettled;
  if (!reachable || said >= producer.capacity || 2 * said > producer.capacity) return;
  verdict_.Fail("credit",
                absl::StrCat("producer ", producer.id, " has credit for ", credit, " and ",
                             unsettled, " unsettled, its capacity is ", producer.capacity));
}

}  // namespace trunkline::sim
