#include "tests/sim/checkers/settlement.h"

#include "absl/strings/str_cat.h"

namespace trunkline::sim {
namespace {

using amqp::OutcomeKind;

// How strong an outcome is among those of a multicast.
int Rank(OutcomeKind kind) {
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

std::string Name(OutcomeKind kind) { return absl::StrCat("outcome ", static_cast<int>(kind)); }

}  // namespace

void Settlement::OnTold(Message& message, OutcomeKind kind, bool settled) {
  if (message.presettled || message.finished) {
    verdict_.Fail("settlement", absl::StrCat(Describe(message), " was told ", Name(kind),
                                             " after it was settled"));
  }
  if (amqp::IsTerminal(kind)) {
    if (message.told != OutcomeKind::kNone && message.told != kind) {
      verdict_.Fail("settlement", absl::StrCat(Describe(message), " was told ", Name(kind),
                                               " after ", Name(message.told)));
    }
    message.told = kind;
  }
  if (settled && message.told == OutcomeKind::kNone) {
    verdict_.Fail("settlement", absl::StrCat(Describe(message), " was settled without outcome"));
  }
}

// Of a producer that had settled, aborted or left, nobody knows whether it was to be told.
void Settlement::CountedAtRest(uint64_t outcomes) {
  uint64_t told = 0;
  uint64_t unknown = 0;
  for (const Message& message : ledger_.messages()) {
    if (message.told != OutcomeKind::kNone) {
      ++told;
    } else if (message.started && !message.presettled) {
      unknown +=
          message.settled_early || message.aborted || !ledger_.producer(message.producer).alive;
    }
  }
  if (outcomes >= told && outcomes <= told + unknown) return;
  verdict_.Fail("settlement", absl::StrCat(outcomes, " outcomes are counted, producers were told ",
                                           told, " and maybe ", unknown, " more"));
}

void Settlement::AtRest() {
  for (const Message& message : ledger_.messages()) {
    if (message.told == OutcomeKind::kNone || IsRefused(message)) continue;
    if (KindOf(message.address).multicast) {
      CheckMulticast(message);
    } else {
      CheckUnicast(message);
    }
  }
}

// By the router, whoever got the beginning of it.
bool Settlement::IsRefused(const Message& message) {
  return message.oversize && message.told == OutcomeKind::kRejected;
}

void Settlement::CheckUnicast(const Message& message) {
  const std::string what = absl::StrCat(Describe(message), " was told ", Name(message.told));
  if (message.receptions.empty()) {
    if (!MayBeOfTheRouter(message)) {
      verdict_.Fail("settlement", absl::StrCat(what, ", but nobody received it"));
    }
    return;
  }
  const Reception& reception = message.receptions[0];
  const ConsumerLink& consumer = ledger_.consumer(reception.consumer);
  if (consumer.settled_mode && message.told == OutcomeKind::kAccepted) return;
  if (reception.said == message.told) return;
  if (message.told == OutcomeKind::kModified && !consumer.alive) return;
  verdict_.Fail("settlement",
                absl::StrCat(what, ", but consumer ", consumer.id, " said ", Name(reception.said)));
}

// Outcomes of messages that no consumer is known to have seen: of those that were started, a
// consumer may be gone before enough of it came to know it; and one that asked for settled
// deliveries counts as accepting when they leave.
bool Settlement::MayBeOfTheRouter(const Message& message) const {
  bool anyone_gone = false;
  bool settled_mode = false;
  for (const ConsumerLink& consumer : ledger_.consumers()) {
    if (consumer.address != message.address) continue;
    anyone_gone |= !consumer.alive;
    settled_mode |= consumer.settled_mode;
  }
  return message.told == OutcomeKind::kReleased ||
         (message.told == OutcomeKind::kModified && anyone_gone) ||
         (message.told == OutcomeKind::kAccepted && settled_mode);
}

// Of consumers that are gone, nobody knows how much of what they said was heard.
void Settlement::CheckMulticast(const Message& message) {
  const std::string what = absl::StrCat(Describe(message), " was told ", Name(message.told));
  bool said = false;
  int strongest = 0;
  for (const Reception& reception : message.receptions) {
    const ConsumerLink& consumer = ledger_.consumer(reception.consumer);
    const OutcomeKind kind = consumer.settled_mode ? OutcomeKind::kAccepted : reception.said;
    said |= kind == message.told;
    if (consumer.alive) strongest = std::max(strongest, Rank(kind));
  }
  if (!said && !message.receptions.empty() && !MayBeOfTheRouter(message)) {
    verdict_.Fail("settlement", absl::StrCat(what, ", but no consumer said so"));
  }
  if (strongest > Rank(message.told)) {
    verdict_.Fail("settlement", absl::StrCat(what, ", but a consumer said a stronger one"));
  }
}

}  // namespace trunkline::sim
