#include "tests/sim/checkers/order.h"

#include "absl/strings/str_cat.h"

namespace trunkline::sim {

void Order::OnReceived(const ConsumerLink& consumer, const Message& message) {
  Last& last = last_[{message.producer, consumer.id}];
  const core::ShardId shard = ledger_.producer(message.producer).shard;
  if (message.sequence >= last.next) {
    last = {.next = message.sequence + 1, .started_at = message.started_at};
  } else if (!ledger_.MayComeBack(message.address, shard, last.started_at)) {
    verdict_.Fail("order", absl::StrCat(Describe(message), " came to consumer ", consumer.id,
                                        " after number ", last.next - 1));
  }
  if (!KindOf(message.address).multicast && !message.receptions.empty()) {
    verdict_.Fail("order", absl::StrCat(Describe(message), " came to consumers ",
                                        message.receptions[0].consumer, " and ", consumer.id));
  }
}

}  // namespace trunkline::sim
