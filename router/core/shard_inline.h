#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/base/attributes.h"
#include "router/core/shard.h"
#include "router/core/watchdog.h"

// Private to shard_*.cc: the small steps that every message takes. What is inlined by force was
// seen to cost a quarter of a message's instructions as calls.
namespace trunkline::core {

// How much of its input a copy does not need any more. The tails of both are the same: only
// annotations, at the front, differ.
inline uint64_t Position(const InDelivery& in, const OutDelivery& out) {
  return in.received - std::min(in.received, out.payload.bytes());
}

// The link of this number among those of a connection; null: it is not there.
template <typename Link, Hook<Link> Link::*kHook>
Link* FindLink(const List<Link, kHook>& links, uint64_t number) {
  Link* link = links.front();
  while (link != nullptr && link->number != number) link = links.Next(*link);
  return link;
}

// From this many bytes on, those that wait for something else to come over the same connection are
// given back to the session window early, so that it can come.
inline uint64_t PressureMark(const Connection& connection) {
  return connection.info.session_window_bytes / 2;
}

// The copies of `in` in this shard that are left. `visit` may end the one it is given, not `in`.
template <typename Visit>
void Shard::ForEachCopy(InDelivery& in, Visit visit) {
  if (in.fan_out == InDelivery::kNoFanOut) {
    if (OutDelivery* out = out_deliveries_.Find(in.copy.delivery)) visit(*out);
    return;
  }
  for (const OutRef& ref : fan_outs_[in.fan_out].local) {
    if (OutDelivery* out = out_deliveries_.Find(ref.delivery)) visit(*out);
  }
}

// --- the producer's side

ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::IssueCredit(InLink& link) {
  const uint32_t credit = CreditDue(link, terms_);
  if (credit == 0) [[unlikely]]
    return NoteStinted(link);
  link.owed -= credit;
  link.credit += credit;
  if (link.blocked) [[unlikely]]
    Unblock(link);
  link.connection->sink->Grant(link.token, credit);
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::ReturnCredit(InDelivery& in) {
  if (in.credit_returned || in.link == nullptr) return;
  in.credit_returned = true;
  ++in.link->owed;
  IssueCredit(*in.link);
}

// No copy needs the first `position` bytes of input any more.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::Pass(InDelivery& in, uint64_t position) {
  if (position <= in.passed) return;
  if (in.link == nullptr) [[unlikely]]
    return PassAway(in, position);
  InLink& link = *in.link;
  link.held -= position - in.passed;
  in.passed = position;
  if (position > in.released) {
    const uint64_t bytes = position - in.released;
    in.released = position;
    link.connection->unreleased -= bytes;
    link.connection->sink->Release(link.token, bytes);
  }
  if (link.owed > 0) IssueCredit(link);
}

// Takes `in`, which is listed, out of its connection's list of those that wait.
inline void Shard::Unlist(InDelivery& in) {
  in.listed = false;
  in.link->connection->waiting.Remove(in);
}

inline void Shard::LeaveAssembly(InDelivery& in) {
  if (in.assembling == 0) return;
  in.link->connection->assembling -= in.assembling;
  in.link->connection->assembled.Remove(in);
  in.assembling = 0;
}

inline void Count(amqp::OutcomeKind kind, ShardStats& stats) {
  switch (kind) {
    case amqp::OutcomeKind::kAccepted:
      return stats.accepted.Add();
    case amqp::OutcomeKind::kRejected:
      return stats.rejected.Add();
    case amqp::OutcomeKind::kReleased:
      return stats.released.Add();
    case amqp::OutcomeKind::kModified:
      return stats.modified.Add();
    default:
      return;
  }
}

// The producer learns a state of its delivery, unless that is settled.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::Tell(InDelivery& in, const amqp::Outcome& outcome,
                                                     bool settled) {
  if (in.settled) return;
  if (in.crossing == Crossing::kStandIn) [[unlikely]]
    return TellAway(in, outcome, settled);
  if (!in.told && amqp::IsTerminal(outcome.kind)) {
    in.told = true;
    Count(outcome.kind, stats_);
    if (in.link != nullptr) in.link->counts.Note(outcome.kind);
  }
  in.settled = settled;
  if (in.link == nullptr) return;
  in.link->connection->sink->SettleIn(in.link->token, in.delivery, outcome, settled);
  if (settled) ReturnCredit(in);
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::End(InDelivery& in) {
  Pass(in, in.received);
  ReturnCredit(in);
  if (in.arrived < late_before_) [[unlikely]]
    NoteDelay(in);
  if (in.fan_out != InDelivery::kNoFanOut) {
    fan_outs_[in.fan_out].local.clear();
    fan_outs_[in.fan_out].remote.clear();
    free_fan_outs_.push_back(in.fan_out);
  }
  if (in.link != nullptr) {
    if (in.listed) [[unlikely]]
      Unlist(in);
    in.link->deliveries.Remove(in);
  } else if (in.crossing == Crossing::kStandIn) {
    EndStandIn(in);
  }
  in_deliveries_.Erase(in);
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::EndIfDone(InDelivery& in) {
  if (in.open == 0 && in.complete && in.forwarded && !in.oversize) End(in);
}

// --- the consumer's side

// A copy's first frame leaves.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::NoteStarted(const OutDelivery& out,
                                                            const OutLink& link) {
  if (out.in == nullptr) return;
  // What came from another shard may have come later than this turn began.
  if (out.in->arrived >= now_) [[likely]] {
    ++leaving_at_once_;
  } else {
    NoteWaited(*out.in, link);
  }
}

// The consumer gave an outcome, or something else.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::NoteSettled(const OutDelivery& out,
                                                            amqp::OutcomeKind kind) {
  if (!IsSampled(out.delivery) || out.queued || out.decided) [[likely]]
    return;
  const size_t i = static_cast<size_t>(kind) - static_cast<size_t>(amqp::OutcomeKind::kAccepted);
  if (i >= stats_.settle_duration.size()) return;
  stats_.settle_duration[i].Note(static_cast<uint64_t>((now_ - out.sent).ns));
}

// The consumer's credit is another one.
inline void Shard::NoteCredit(OutLink& link, uint32_t credit) {
  if ((link.credit == 0) != (credit == 0)) {
    link.credit_since = now_;
    if (link.blocked) Unblock(link);
  }
  link.credit = credit;
}

inline bool HasWork(const OutLink& link) {
  const OutDelivery* head = link.queue.front();
  if (head != nullptr && (link.credit > 0 || head->started)) return true;
  return link.drain;
}

// Queues a link that has something to say to its consumer.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::MakeRunnable(OutLink& link) {
  if (link.run != RunState::kIdle || !link.attached || !HasWork(link)) return;
  link.run = RunState::kRunnable;
  RunQueue& queue = QueueOf(link);
  queue.links.PushBack(link);
  ++queue.count;
}

// Deliveries from which on pre-settled ones are dropped. What the consumer has credit for does not
// wait: it leaves at the end of the turn, unless the connection is blocked.
inline uint64_t QueueMax(const OutLink& link) {
  const bool leaves = link.attached && link.run != RunState::kBlocked;
  return uint64_t{link.capacity} + (leaves ? link.credit : 0);
}

// A copy without payload, in the queue of `link`.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline OutDelivery& Shard::Enqueue(InDelivery& in, OutLink& link) {
  if (in.presettled && link.queued >= QueueMax(link)) DropPresettled(link);
  OutDelivery& out = out_deliveries_.Emplace();
  const OutRef self{.shard = options_.id, .delivery = out_deliveries_.HandleOf(out)};
  out.link = &link;
  out.in = &in;
  out.message_format = in.message_format;
  out.complete = in.complete;
  out.presettled = in.presettled;
  if (in.fan_out == InDelivery::kNoFanOut) {
    in.copy = self;
  } else {
    fan_outs_[in.fan_out].local.push_back(self);
  }
  link.queue.PushBack(out);
  ++link.queued;
  if (out.presettled) link.presettled.PushBack(out);
  link.load->Add(1);
  stats_.undelivered.Add(1);
  if (link.fresh == nullptr) {
    link.fresh = &out;
    fresh_.push_back(out_links_.HandleOf(link));
  }
  MakeRunnable(link);
  return out;
}

// Takes a copy out of its link's queue.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::Dequeue(OutDelivery& out) {
  OutLink& link = *out.link;
  if (link.fresh == &out) link.fresh = decltype(link.queue)::Next(out);
  if (link.queue.front() == &out) [[likely]] {
    link.starved = false;
    link.queue.PopFront();
  } else {
    if (link.noted == &out) link.noted = decltype(link.queue)::Prev(out);
    link.queue.Remove(out);
  }
  --link.queued;
  if (out.presettled) link.presettled.Remove(out);
  stats_.undelivered.Add(-1);
}

// `in` is what it is a copy of; null: nobody cares.
inline void Shard::EndCopy(OutDelivery& out, InDelivery* in) {
  OutLink& link = *out.link;
  const uint64_t position = in != nullptr ? Position(*in, out) : 0;
  link.load->Add(-1);
  if (out.queued) {
    Dequeue(out);
  } else {
    link.sent.Remove(out);
    --link.unsettled;
    stats_.unsettled.Add(-1);
  }
  out_deliveries_.Erase(out);
  if (in == nullptr) return;
  --in->open;
  if (in->fan_out == InDelivery::kNoFanOut) {
    Pass(*in, in->received);
  } else if (position == in->passed && --in->slowest == 0) {
    PassSlowest(*in);
  }
  EndIfDone(*in);
}

}  // namespace trunkline::core
