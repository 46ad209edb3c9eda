#pragma once

#include <string_view>

#include "router/amqp/types.h"

namespace trunkline::core {

// How the outcomes of copies become the outcome of a delivery (spec routing section 5): values in,
// values out.

// The stronger of two outcomes of a multicast: rejected > accepted > modified > released > none.
amqp::OutcomeKind Stronger(amqp::OutcomeKind a, amqp::OutcomeKind b);

// What a consumer's outcome counts as: a transaction's outcome has no meaning without a
// coordinator, so `declared` is a rejection.
amqp::OutcomeKind MeaningOf(amqp::OutcomeKind kind);

// True if a producer can be told this state before it is settled.
bool PassesUnsettled(amqp::OutcomeKind kind);

// The state that a producer is told when its only consumer gave `outcome`: the same, but modified
// has failed, and a transaction's states do not pass.
amqp::Outcome ForProducer(const amqp::Outcome& outcome);

// What is told when there is nothing to pass on.
const amqp::Outcome& ReleasedOutcome();
const amqp::Outcome& ModifiedFailedOutcome();
amqp::Outcome RejectedOutcome(std::string_view condition, std::string_view description);

}  // namespace trunkline::core
