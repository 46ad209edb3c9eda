#include "router/core/settle.h"
#include "router/core/shard.h"
#include "router/core/shard_copies.h"

namespace trunkline::core {

using amqp::Outcome;
using amqp::OutcomeKind;

namespace {

void Count(OutcomeKind kind, ShardStats& stats) {
  switch (kind) {
    case OutcomeKind::kAccepted:
      return stats.accepted.Add();
    case OutcomeKind::kRejected:
      return stats.rejected.Add();
    case OutcomeKind::kReleased:
      return stats.released.Add();
    case OutcomeKind::kModified:
      return stats.modified.Add();
    default:
      return;
  }
}

}  // namespace

// --- from consumers to producers

void Shard::OnConsumerDisposition(uint64_t out_user, const Outcome& outcome, bool settled) {
  thread_.Assert();
  OutDelivery* out = out_deliveries_.Find(Handle<OutDelivery>::Unpack(out_user));
  if (out == nullptr || !out->started || out->presettled || out->consumer_settled) return;
  if (InDelivery* in = InOf(*out)) Report(*in, *out, outcome, settled);
  if (!settled) return;
  if (out->queued) {
    out->consumer_settled = true;
  } else {
    EndCopy(*out);
  }
}

// What became of one copy (spec routing section 5.1).
void Shard::Report(InDelivery& in, OutDelivery& out, const Outcome& outcome, bool settled) {
  if (in.settled) return;
  if (in.multicast) return Aggregate(in, out, MeaningOf(outcome.kind), settled);
  if (amqp::IsTerminal(outcome.kind)) out.decided = true;
  if (outcome.kind == OutcomeKind::kAccepted) return Tell(in, outcome, settled);
  if (settled || PassesUnsettled(outcome.kind)) Tell(in, ForProducer(outcome), settled);
}

// The outcome of a multicast is known when all copies have one; it is settled with the last of them
// (spec routing section 5.3).
void Shard::Aggregate(InDelivery& in, OutDelivery& out, OutcomeKind kind, bool settled) {
  if (!out.decided && (settled || amqp::IsTerminal(kind))) {
    out.decided = true;
    if (amqp::IsTerminal(kind)) in.best = Stronger(in.best, kind);
    --in.undecided;
  }
  if (settled) --in.unsettled;
  if (in.undecided > 0 || (in.told && in.unsettled > 0)) return;
  if (in.best == OutcomeKind::kModified)
    return Tell(in, ModifiedFailedOutcome(), in.unsettled == 0);
  Tell(in, {.kind = in.best, .raw = {}}, in.unsettled == 0);
}

void Shard::Tell(InDelivery& in, const Outcome& outcome, bool settled) {
  if (in.settled) return;
  if (!in.told && amqp::IsTerminal(outcome.kind)) {
    in.told = true;
    Count(outcome.kind, stats_);
  }
  in.settled = settled;
  if (in.link == nullptr) return;
  in.link->connection->sink->SettleIn(in.link->token, in.delivery, outcome, settled);
  if (settled) ReturnCredit(in);
}

// --- from producers to consumers

void Shard::OnProducerDisposition(uint64_t in_user, const Outcome& outcome, bool settled) {
  thread_.Assert();
  InDelivery* in = in_deliveries_.Find(Handle<InDelivery>::Unpack(in_user));
  if (in == nullptr || in->settled) return;
  if (settled) {
    SettleByProducer(*in, outcome);
    return EndIfDone(*in);
  }
  if (outcome.kind != OutcomeKind::kReceived) return;
  ForEachCopy(*in, [&](const OutDelivery& out) {
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
    return;
  }
  ReturnCredit(in);
  ++in.open;
  ForEachCopy(in, [&](OutDelivery& out) { SettleCopy(out, outcome); });
  --in.open;
}

void Shard::SettleCopy(OutDelivery& out, const Outcome& outcome) {
  if (!out.queued) {
    out.link->connection->sink->SettleOut(out.link->token, out.delivery, outcome, true);
    EndCopy(out);
  } else if (out.started) {
    out.producer_settled = true;
  } else if (!out.presettled) {
    out.presettled = true;
    ++out.link->queued_presettled;
  }
}

// --- copies

// A copy that does not reach its consumer, or whose consumer is gone. `outcome` counts unless the
// consumer gave one before.
void Shard::Lose(OutDelivery& out, const Outcome& outcome) {
  if (out.presettled) stats_.dropped_presettled.Add();
  InDelivery* in = InOf(out);
  if (in != nullptr && !out.consumer_settled) {
    Report(*in, out, out.decided ? Outcome{} : outcome, true);
  }
  EndCopy(out);
}

void Shard::EndCopy(OutDelivery& out) {
  InDelivery* in = InOf(out);
  const uint64_t position = in != nullptr ? Position(*in, out) : 0;
  Dequeue(out);
  out_deliveries_.Erase(out.self);
  if (in == nullptr) return;
  --in->open;
  if (in->fan_out == InDelivery::kNoFanOut) {
    Pass(*in, in->received);
  } else if (position == in->passed && --in->slowest == 0) {
    PassSlowest(*in);
  }
  EndIfDone(*in);
}

// Takes a copy out of its link's lists.
void Shard::Dequeue(OutDelivery& out) {
  OutLink& link = *out.link;
  link.load->Add(-1);
  if (!out.queued) {
    link.sent.Remove(out);
    --link.unsettled;
    stats_.unsettled.Add(-1);
    return;
  }
  if (link.queue.front() == &out) link.starved = false;
  if (link.fresh == &out) link.fresh = decltype(link.queue)::Next(out);
  link.queue.Remove(out);
  --link.queued;
  link.queued_presettled -= out.presettled;
  stats_.undelivered.Add(-1);
}

}  // namespace trunkline::core
