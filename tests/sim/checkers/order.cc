#include "tests/sim/checkers/order.h"

#include "absl/strings/str_cat.h"

namespace trunkline::sim {

void Order::OnReceived(const ConsumerLink& consumer, const Message& message) {
  uint32_t& next = next_[{message.producer, consumer.id}];
  if (message.sequence < next) {
    verdict_.Fail("order", absl::StrCat(Describe(message), " came to consumer ", consumer.id,
                                        " after number ", next - 1));
  } else {
    next = message.sequence + 1;
  }
  const bool multicast = KindOf(message.address).treatment == core::Treatment::kMulticast;
  if (!multicast && !message.receptions.empty()) {
    verdict_.Fail("order", absl::StrCat(Describe(message), " came to consumers ",
                                        message.receptions[0].consumer, " and ", consumer.id));
  }
}

}  // namespace trunkline::sim
