#include <algorithm>

#include "absl/base/attributes.h"
#include "router/core/settle.h"
#include "router/core/shard.h"
#include "router/core/shard_inline.h"

namespace trunkline::core {
namespace {

// What a turn sends, in bytes; each delivery, and each look at a link, counts as some more. More
// than a turn reads, so that it counts only when much has waited or has many consumers.
constexpr uint64_t kEmitPerTurn = 2u << 20;
constexpr uint64_t kEmitCost = 64;
// Of that, for links that send much.
constexpr uint64_t kEmitBulkMin = 256u << 10;
// A link that sent so much in its turn lets others go first the next time.
constexpr uint64_t kBulkBytes = 16 * 1024;

// Blocks of another shard that are worth waking it up. Fewer go with other mail.
constexpr size_t kReturnedBlocks = 16;

}  // namespace

void Shard::OnFlow(Handle<OutLink> handle, uint32_t credit, bool drain) {
  thread_.Assert();
  OutLink* link = out_links_.Find(handle);
  if (link == nullptr) return;
  link->kept_credit = credit;
  NoteCredit(*link, link->disabled ? 0 : credit);
  link->drain = drain;
  MakeRunnable(*link);
}

void Shard::Resume(Handle<Connection> handle) {
  thread_.Assert();
  Connection* connection = connections_.Find(handle);
  if (connection == nullptr) return;
  while (OutLink* link = connection->blocked.PopFront()) {
    link->run = RunState::kIdle;
    MakeRunnable(*link);
  }
}

void Shard::StopRunning(OutLink& link) {
  if (link.run == RunState::kRunnable) {
    QueueOf(link).links.Remove(link);
    --QueueOf(link).count;
  } else if (link.run == RunState::kBlocked) {
    link.connection->blocked.Remove(link);
  }
  link.run = RunState::kIdle;
}

bool Shard::Emit(Time now) {
  thread_.Assert();
  leaving_ = now;
  if (!disabled_.empty()) [[unlikely]]
    ReleaseSpared();
  uint64_t left = kEmitPerTurn;
  const uint32_t bulk = bulk_.count;  // without those that become so now: they had their turn
  EmitFrom(runnable_, runnable_.count, left);
  left = std::max(left, kEmitBulkMin);
  EmitFrom(bulk_, bulk, left);
  const bool tight = RelieveTight();
  CompactFresh();
  NoteLeft();
  MailReturns(kReturnedBlocks);
  const bool stinted = !terms_.pressed && !stinted_.empty();
  if (stinted) PayStinted();
  return runnable_.count > 0 || bulk_.count > 0 || tight || (stinted && !stinted_.empty());
}

// The first `turns` links of the queue.
void Shard::EmitFrom(RunQueue& queue, uint32_t turns, uint64_t& left) {
  for (; turns > 0 && left > 0; --turns) {
    OutLink& link = *queue.links.PopFront();
    --queue.count;
    link.run = RunState::kIdle;
    const uint32_t queued = link.queued;
    const uint64_t bytes = options_.emit_quantum_bytes - EmitLink(link);
    if (link.run != RunState::kRunnable) link.bulk = bytes >= kBulkBytes;
    left -= std::min(left, bytes + kEmitCost * (1 + queued - link.queued));
  }
}

// What is left of the link's quantum.
uint64_t Shard::EmitLink(OutLink& link) {
  uint64_t bytes_left = options_.emit_quantum_bytes;
  while (OutDelivery* out = link.queue.front()) {
    if (link.starved) {
      RelieveQueue(link);
      return bytes_left;
    }
    if (!out->started && link.credit == 0) break;
    if (bytes_left == 0) {
      link.bulk = true;
      MakeRunnable(link);
      return bytes_left;
    }
    switch (Send(*out, bytes_left)) {
      case SendOutcome::kSent:
        break;
      case SendOutcome::kPartial:
        link.starved = true;
        break;
      case SendOutcome::kQuantum:
        link.bulk = true;
        MakeRunnable(link);
        return bytes_left;
      case SendOutcome::kBlocked:
        link.run = RunState::kBlocked;
        link.connection->blocked.PushBack(link);
        return bytes_left;
      case SendOutcome::kNoCredit:
        NoteCredit(link, 0);
        if (out->started) return bytes_left;
        break;
    }
  }
  if (!link.drain) return bytes_left;
  link.drain = false;
  link.kept_credit = 0;
  NoteCredit(link, 0);
  link.connection->sink->Drained(link.token);
  return bytes_left;
}

// Offers one copy to its connection. It may have ended on return.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline SendOutcome Shard::Send(OutDelivery& out,
                                                            uint64_t& bytes_left) {
  OutLink& link = *out.link;
  const uint64_t before = out.payload.bytes();
  SendRequest request{.user = out_deliveries_.HandleOf(out).Pack(),
                      .message_format = out.message_format,
                      .settled = out.presettled,
                      .complete = out.complete,
                      .aborted = out.aborted,
                      .bytes_max = bytes_left,
                      .payload = &out.payload,
                      .started = out.started,
                      .delivery = out.delivery};
  const SendOutcome outcome = link.connection->sink->Send(link.token, request);
  if (request.started && !out.started) {
    out.started = true;
    out.delivery = request.delivery;
    NoteStarted(out, link);
    if (link.credit > 0 && --link.credit == 0) link.credit_since = now_;
    stats_.deliveries_out.Add();
    ++link.counts.deliveries;
  }
  const uint64_t sent = before - out.payload.bytes();
  bytes_left -= std::min(bytes_left, sent);
  InDelivery* in = out.in;
  if (in != nullptr) {
    const uint64_t was = in->received - std::min(in->received, before);
    const uint64_t is = Position(*in, out);
    if (in->fan_out == InDelivery::kNoFanOut) {
      Pass(*in, is);
    } else if (is > was && was == in->passed && --in->slowest == 0) {
      PassSlowest(*in);
    }
  }
  if (outcome == SendOutcome::kSent) Sent(out, in);
  return outcome;
}

// All of a copy is on the wire.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::Sent(OutDelivery& out, InDelivery* in) {
  OutLink& link = *out.link;
  if (out.aborted || out.presettled || out.consumer_settled) {
    if (out.presettled) ++link.counts.presettled;
    return EndCopy(out, in);
  }
  if (out.producer_settled) {
    link.connection->sink->SettleOut(link.token, out.delivery, {}, true);
    return EndCopy(out, in);
  }
  Dequeue(out);
  out.queued = false;
  out.sent = leaving_;
  link.sent.PushBack(out);
  ++link.unsettled;
  stats_.unsettled.Add(1);
}

// What came in this turn and has to wait gets memory of its own when it is small, so that it does
// not pin the block in which it arrived.
void Shard::CompactFresh() {
  for (const Handle<OutLink> handle : fresh_) {
    OutLink* link = out_links_.Find(handle);
    if (link == nullptr) continue;
    for (OutDelivery* out = link->fresh; out != nullptr; out = decltype(link->queue)::Next(*out)) {
      out->payload.Compact(pool_);
    }
    link->fresh = nullptr;
  }
  fresh_.clear();
}

}  // namespace trunkline::core
