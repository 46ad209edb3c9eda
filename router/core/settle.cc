#include "router/core/settle.h"

#include <string>

namespace trunkline::core {
namespace {

using amqp::Outcome;
using amqp::OutcomeKind;

int Strength(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::kRejected:
      return 4;
    case OutcomeKind::kAccepted:
      return 3;
    case OutcomeKind::kModified:
      return 2;
    case OutcomeKind::kReleased:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

OutcomeKind Stronger(OutcomeKind a, OutcomeKind b) { return Strength(a) >= Strength(b) ? a : b; }

OutcomeKind MeaningOf(OutcomeKind kind) {
  return kind == OutcomeKind::kDeclared ? OutcomeKind::kRejected : kind;
}

bool PassesUnsettled(OutcomeKind kind) {
  return IsTerminal(kind) || kind == OutcomeKind::kReceived || kind == OutcomeKind::kUnknown;
}

Outcome ForProducer(const Outcome& outcome) {
  switch (outcome.kind) {
    case OutcomeKind::kModified:
      return {.kind = OutcomeKind::kModified, .raw = amqp::ModifiedDeliveryFailed(outcome.raw)};
    case OutcomeKind::kDeclared:
      return {.kind = OutcomeKind::kRejected, .raw = {}};
    case OutcomeKind::kTransactional:
      return {};
    default:
      return outcome;
  }
}

const Outcome& ReleasedOutcome() {
  static const Outcome outcome{.kind = OutcomeKind::kReleased, .raw = {}};
  return outcome;
}

const Outcome& ModifiedFailedOutcome() {
  static const Outcome outcome{.kind = OutcomeKind::kModified,
                               .raw = amqp::ModifiedDeliveryFailed("")};
  return outcome;
}

Outcome RejectedOutcome(std::string_view condition, std::string_view description) {
  return {
      .kind = OutcomeKind::kRejected,
      .raw = amqp::EncodeRejected(
          {.name = std::string(condition), .description = std::string(description), .info = {}})};
}

}  // namespace trunkline::core
