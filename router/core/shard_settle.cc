#include "router/core/settle.h"
#include "router/core/shard.h"
#include "router/core/shard_inline.h"

namespace trunkline::core {

using amqp::Outcome;
using amqp::OutcomeKind;

// --- from consumers to producers

void Shard::OnConsumerDisposition(uint64_t out_user, const Outcome& outcome, bool settled) {
  thread_.Assert();
  OutDelivery* out = out_deliveries_.Find(Handle<OutDelivery>::Unpack(out_user));
  if (out == nullptr || !out->started || out->presettled || out->consumer_settled) return;
  InDelivery* in = out->in;
  NoteSettled(*out, outcome.kind);
  if (!out->decided && amqp::IsTerminal(outcome.kind)) out->link->counts.Note(outcome.kind);
  if (in != nullptr) Report(*in, *out, outcome, settled);
  if (!settled) return;
  if (out->queued) {
    out->consumer_settled = true;
  } else {
    EndCopy(*out, in);
  }
}

// What became of one copy (spec routing section 5.1).
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::Report(InDelivery& in, OutDelivery& out,
                                                       const Outcome& outcome, bool settled) {
  if (in.settled) return;
  if (in.multicast) return Aggregate(in, out.decided, MeaningOf(outcome.kind), settled);
  if (amqp::IsTerminal(outcome.kind)) out.decided = true;
  if (outcome.kind == OutcomeKind::kAccepted) return Tell(in, outcome, settled);
  if (settled || PassesUnsettled(outcome.kind)) Tell(in, ForProducer(outcome), settled);
}

// `decided` is the mark of the copy, or of those of one mail, that `kind` is about. The outcome of
// a multicast is known when all copies have one; it is settled with the last of them
// (spec routing section 5.3).
void Shard::Aggregate(InDelivery& in, bool& decided, OutcomeKind kind, bool settled) {
  if (!decided && (settled || amqp::IsTerminal(kind))) {
    decided = true;
    if (amqp::IsTerminal(kind)) in.best = Stronger(in.best, kind);
    --in.undecided;
  }
  if (settled) --in.unsettled;
  if (in.undecided > 0 || (in.told && in.unsettled > 0)) return;
  if (in.best == OutcomeKind::kModified)
    return Tell(in, ModifiedFailedOutcome(), in.unsettled == 0);
  Tell(in, {.kind = in.best, .raw = {}}, in.unsettled == 0);
}

// --- from producers to consumers

void Shard::OnProducerDisposition(uint64_t in_user, const Outcome& outcome, bool settled) {
  thread_.Assert();
  InDelivery* in = in_deliveries_.Find(Handle<InDelivery>::Unpack(in_user));
  if (in != nullptr) HearProducer(*in, outcome, settled);
}

// `in` may have ended on return.
void Shard::HearProducer(InDelivery& in, const Outcome& outcome, bool settled) {
  if (in.settled) return;
  if (settled) {
    SettleByProducer(in, outcome);
    return EndIfDone(in);
  }
  if (outcome.kind != OutcomeKind::kReceived) return;
  SayAway(in, outcome, false);
  ForEachCopy(in, [&](const OutDelivery& out) {
    if (!out.started) return;
    out.link->connection->sink->SettleOut(out.link->token, out.delivery, outcome, false);
  });
}

// The producer does not want to know any more. Never ends `in`: its caller sees to that.
void Shard::SettleByProducer(InDelivery& in, const Outcome& outcome) {
  in.settled = true;
  if (!in.forwarded) {
    in.presettled = true;
    stats_.presettled.Add();
    if (in.link != nullptr) ++in.link->counts.presettled;
    return;
  }
  ReturnCredit(in);
  SayAway(in, outcome, true);
  ++in.open;
  ForEachCopy(in, [&](OutDelivery& out) { SettleCopy(in, out, outcome); });
  --in.open;
}

void Shard::SettleCopy(InDelivery& in, OutDelivery& out, const Outcome& outcome) {
  if (!out.queued) {
    out.link->connection->sink->SettleOut(out.link->token, out.delivery, outcome, true);
    EndCopy(out, &in);
  } else if (out.started) {
    out.producer_settled = true;
  } else if (!out.presettled) {
    out.presettled = true;
    out.link->presettled.PushBack(out);
  }
}

// --- copies

// A copy that does not reach its consumer, or whose consumer is gone. `outcome` counts unless the
// consumer gave one before.
void Shard::Lose(OutDelivery& out, const Outcome& outcome, DropReason reason) {
  if (out.presettled) {
    stats_.Drop(reason);
    ++out.link->counts.dropped;
  }
  InDelivery* in = out.in;
  if (in != nullptr && !out.consumer_settled) {
    Report(*in, out, out.decided ? Outcome{} : outcome, true);
  }
  EndCopy(out, in);
}

}  // namespace trunkline::core
