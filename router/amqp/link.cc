#include "router/amqp/link.h"

#include <algorithm>

namespace trunkline::amqp {

void Link::TakeFlow(const Flow& flow) {
  if (role == Role::kSender) {
    // A receiver that has not seen our attach counts from the initial delivery-count, 0. What it
    // has not seen yet was sent against the credit that it names.
    const int32_t unseen = SerialDistance(delivery_count, flow.delivery_count.value_or(0));
    const int64_t left = int64_t{flow.link_credit.value_or(0)} - std::max(unseen, 0);
    credit = static_cast<uint32_t>(std::clamp<int64_t>(left, 0, kCreditMax));
    drain = flow.drain;
    return;
  }
  if (!flow.delivery_count.has_value()) return;
  const int32_t used = SerialDistance(*flow.delivery_count, delivery_count);
  // Negative: the peer counts a delivery when it ends and we when it starts.
  if (used <= 0) return;
  credit -= std::min(credit, static_cast<uint32_t>(used));
  delivery_count = *flow.delivery_count;
}

void Link::UseUpCredit() {
  if (!drain) return;
  delivery_count += credit;
  credit = 0;
  flow_due = true;
}

void Link::FillFlow(Flow& flow) {
  flow.handle = handle;
  if (role == Role::kSender) {
    flow.delivery_count = delivery_count;
    flow.link_credit = credit;
    flow.available = 0;
    flow.drain = drain;
    // The request is answered; another flow of the peer renews it.
    if (credit == 0) drain = false;
  } else {
    if (!taken) {
      credit += grant;
      grant = 0;
    }
    if (attach_received) flow.delivery_count = delivery_count;
    flow.link_credit = taken ? 0 : credit;
    flow.drain = drain;
  }
  flow_due = false;
}

}  // namespace trunkline::amqp
