#include <algorithm>
#include <utility>

#include "absl/base/attributes.h"
#include "router/core/settle.h"
#include "router/core/shard.h"
#include "router/core/shard_inline.h"

namespace trunkline::core {
namespace {

// A message is forwarded when this much of it is held, complete or not (spec routing section 6).
// What routing has to see of it (annotations, for anonymous producers properties) lies within.
constexpr uint64_t kHoldMax = 128 * 1024;

}  // namespace

uint64_t Shard::OnTransfer(Handle<InLink> handle, IncomingTransfer transfer) {
  thread_.Assert();
  InLink* link = in_links_.Find(handle);
  if (link == nullptr) return 0;
  InDelivery* in = transfer.first ? &Begin(*link, transfer)
                                  : in_deliveries_.Find(Handle<InDelivery>::Unpack(transfer.user));
  if (in == nullptr || in->link != link || in->complete) {
    link->connection->sink->Release(link->token, transfer.payload.size());
    return 0;
  }
  const uint64_t user = in_deliveries_.HandleOf(*in).Pack();
  Take(*in, transfer);
  return user;
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline InDelivery& Shard::Begin(InLink& link,
                                                             const IncomingTransfer& transfer) {
  InDelivery& in = in_deliveries_.Emplace();
  in.link = &link;
  in.delivery = transfer.delivery;
  in.message_format = transfer.message_format;
  in.arrived = now_;
  in.presettled = transfer.settled || link.presettled;
  in.settled = in.presettled;
  link.deliveries.PushBack(in);
  if (link.credit > 0 && --link.credit == 0) NoteDry(link);
  stats_.deliveries_in.Add();
  ++link.counts.deliveries;
  if (in.presettled) {
    stats_.presettled.Add();
    ++link.counts.presettled;
  }
  return in;
}

// One frame: accounted, then held, forwarded, added to the copies, or thrown away. `in` may have
// ended on return.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::Take(InDelivery& in, IncomingTransfer& transfer) {
  const uint32_t bytes = transfer.payload.size();
  Connection& connection = *in.link->connection;
  in.received += bytes;
  in.link->held += bytes;
  connection.unreleased += bytes;
  if (transfer.aborted) return Abort(in);
  in.complete = !transfer.more;
  if (in.complete && IsSampled(in.delivery)) [[unlikely]]
    stats_.message_size.Note(in.received);
  if (transfer.settled && !in.settled) SettleByProducer(in, {});
  const uint64_t size_max = connection.info.max_message_size;
  if (size_max != 0 && in.received > size_max && !in.oversize) RefuseOversize(in);
  if (in.forwarded) return Append(in, Payload(std::move(transfer.payload)));
  if (in.link->hold != nullptr) [[unlikely]]
    return Await(in, Payload(std::move(transfer.payload)));

  if (in.complete && in.held.empty()) return Forward(in, std::move(transfer.payload));
  in.held.Append(std::move(transfer.payload));
  if (IsReady(in)) return Forward(in, {});
  Assemble(in);
}

// True if what is held of a delivery may be forwarded.
bool Shard::IsReady(InDelivery& in) {
  return in.complete || in.held.bytes() >= kHoldMax || WantsStreaming(in);
}

void Shard::Assemble(InDelivery& in) {
  in.held.Compact(pool_);
  Connection& connection = *in.link->connection;
  const uint64_t bytes = in.received - in.released;
  if (in.assembling == 0 && bytes > 0) connection.assembled.PushBack(in);
  connection.assembling += bytes - in.assembling;
  in.assembling = static_cast<uint32_t>(bytes);
  if (connection.assembling >= PressureMark(connection)) RelieveAssembly(connection);
}

// More of a delivery whose copies are on their way, or of one that has ended.
void Shard::Append(InDelivery& in, Payload&& more) {
  if (in.open == 0) {
    Pass(in, in.received);
    if (in.complete && in.oversize) return CloseOversize(in);
    return EndIfDone(in);
  }
  if (in.crossing == Crossing::kAway) return SendMore(in, std::move(more));
  if (in.fan_out != InDelivery::kNoFanOut) SendMoreToAll(in, more);
  ForEachCopy(in, [&](OutDelivery& out) {
    out.payload.Append(more);
    out.complete = in.complete;
    if (out.link->queue.front() == &out) {
      out.link->starved = false;
      MakeRunnable(*out.link);
    } else if (HasNoted(*out.link)) {
      // It waits for the stream at the front only while that is short of input.
      if (out.link->starved) {
        NoteWaiting(in);
      } else {
        out.link->missed = true;
      }
    }
  });
}

// The producer gave up, or is gone: whoever has seen a part of it sees the abort.
void Shard::Abort(InDelivery& in) {
  AbortCopies(in);
  LeaveAssembly(in);
  in.held.Clear();
  in.complete = true;
  in.forwarded = true;
  in.settled = true;
  End(in);
}

void Shard::AbortCopies(InDelivery& in) {
  if (in.crossing == Crossing::kBounced) in.crossing = Crossing::kNone;
  if (in.open == 0) return;
  AbortAway(in);
  ForEachCopy(in, [&](OutDelivery& out) {
    out.in = nullptr;
    AbortCopy(out);
  });
  in.open = 0;
}

void Shard::AbortCopy(OutDelivery& out) {
  if (!out.started) return EndCopy(out, nullptr);
  out.aborted = true;
  out.payload.Clear();
  out.link->starved = false;
  MakeRunnable(*out.link);
}

// Copies on their way are aborted, the rest is read and thrown away; once all has come, the
// producer is told, and its connection goes (spec routing section 3).
void Shard::RefuseOversize(InDelivery& in) {
  if (in.presettled) {
    stats_.Drop(DropReason::kMaxSize);
    ++in.link->counts.dropped;
  }
  AbortCopies(in);
  LeaveAssembly(in);
  in.held.Clear();
  in.forwarded = true;
  in.oversize = true;
}

void Shard::CloseOversize(InDelivery& in) {
  static constexpr std::string_view kText = "Message size exceeded";
  InLink& link = *in.link;
  Sink& sink = *link.connection->sink;
  in.credit_returned = true;  // of no use any more
  Tell(in, RejectedOutcome(amqp::condition::kMessageSizeExceeded, kText), true);
  End(in);
  sink.Detach(link.token, {});
  Remove(link);
  sink.Close({.name = std::string(amqp::condition::kConnectionForced),
              .description = std::string(kText),
              .info = {}});
}

// Ends a delivery that gets no copies. What is still to come of it is thrown away.
void Shard::Discard(InDelivery& in, const amqp::Outcome& outcome) {
  in.crossing = Crossing::kNone;
  LeaveAssembly(in);
  in.held.Clear();
  in.forwarded = true;
  if (in.presettled) {
    const bool nobody = outcome.kind == amqp::OutcomeKind::kReleased;
    stats_.Drop(nobody ? DropReason::kNoConsumer : DropReason::kOther);
    if (in.link != nullptr) ++in.link->counts.dropped;
    ReturnCredit(in);
  } else {
    Tell(in, outcome, true);
  }
  Pass(in, in.received);
  EndIfDone(in);
}

// --- bytes

// As Pass, up to where the slowest copy is.
void Shard::PassSlowest(InDelivery& in) {
  uint64_t slowest = in.received;
  in.slowest = 0;
  const auto see = [&](uint64_t position) {
    if (position < slowest) {
      slowest = position;
      in.slowest = 0;
    }
    if (position == slowest) ++in.slowest;
  };
  ForEachCopy(in, [&](const OutDelivery& out) { see(Position(in, out)); });
  if (in.fan_out != InDelivery::kNoFanOut) {
    for (const RemoteCopies& copies : fan_outs_[in.fan_out].remote) {
      if (copies.open) see(copies.passed);
    }
  }
  Pass(in, slowest);
}

void Shard::OnProducerFlow(Handle<InLink> handle, uint32_t credit) {
  thread_.Assert();
  InLink* link = in_links_.Find(handle);
  if (link == nullptr || credit >= link->credit) return;
  link->owed += link->credit - credit;
  link->credit = credit;
  if (credit == 0) NoteDry(*link);
  IssueCredit(*link);
}

}  // namespace trunkline::core
