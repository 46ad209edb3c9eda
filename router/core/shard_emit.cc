#include <algorithm>

#include "absl/base/attributes.h"
#include "router/core/settle.h"
#include "router/core/shard.h"
#include "router/core/shard_inline.h"

namespace trunkline::core {
namespace {

// Blocks of another shard that are worth waking it up. Fewer go with other mail.
constexpr size_t kReturnedBlocks = 16;

}  // namespace

void Shard::OnFlow(Handle<OutLink> handle, uint32_t credit, bool drain) {
  thread_.Assert();
  OutLink* link = out_links_.Find(handle);
  if (link == nullptr) return;
  NoteCredit(*link, credit);
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
    runnable_.Remove(link);
    --runnable_count_;
  } else if (link.run == RunState::kBlocked) {
    link.connection->blocked.Remove(link);
  }
  link.run = RunState::kIdle;
}

bool Shard::Emit(Time now) {
  thread_.Assert();
  leaving_ = now;
  for (uint32_t turns = runnable_count_; turns > 0; --turns) {
    OutLink& link = *runnable_.PopFront();
    --runnable_count_;
    link.run = RunState::kIdle;
    EmitLink(link);
  }
  const bool tight = RelieveTight();
  CompactFresh();
  NoteLeft();
  MailReturns(kReturnedBlocks);
  const bool stinted = !terms_.pressed && !stinted_.empty();
  if (stinted) PayStinted();
  return runnable_count_ > 0 || tight || (stinted && !stinted_.empty());
}

void Shard::EmitLink(OutLink& link) {
  uint64_t bytes_left = options_.emit_quantum_bytes;
  while (OutDelivery* out = link.queue.front()) {
    if (link.starved) return RelieveQueue(link);
    if (!out->started && link.credit == 0) break;
    if (bytes_left == 0) return MakeRunnable(link);
    switch (Send(*out, bytes_left)) {
      case SendOutcome::kSent:
        break;
      case SendOutcome::kPartial:
        link.starved = true;
        break;
      case SendOutcome::kQuantum:
        return MakeRunnable(link);
      case SendOutcome::kBlocked:
        link.run = RunState::kBlocked;
        return link.connection->blocked.PushBack(link);
      case SendOutcome::kNoCredit:
        NoteCredit(link, 0);
        if (out->started) return;
        break;
    }
  }
  if (!link.drain) return;
  link.drain = false;
  NoteCredit(link, 0);
  link.connection->sink->Drained(link.token);
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
  if (out.aborted || out.presettled || out.consumer_settled) return EndCopy(out, in);
  OutLink& link = *out.link;
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
