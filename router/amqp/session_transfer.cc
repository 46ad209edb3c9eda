#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "router/amqp/engine.h"
#include "router/amqp/session.h"

// Deliveries on their way in and out, frame by frame.
namespace trunkline::amqp {
namespace {

// Larger frames are not written, whatever the peer takes: others wait behind them.
constexpr uint32_t kFrameBytesSent = 64 * 1024;

// The payload bytes of one frame, appended behind what the frame has.
void AppendPayload(const Payload& payload, uint32_t n, Output& output) {
  for (const Slice& slice : payload.slices()) {
    const uint32_t take = std::min(n, slice.size());
    output.Append(slice.Sub(0, take));
    n -= take;
    if (n == 0) return;
  }
}

// The same, copied to `at`; returns the place behind.
uint8_t* CopyPayload(const Payload& payload, uint32_t n, uint8_t* at) {
  for (const Slice& slice : payload.slices()) {
    const uint32_t take = std::min(n, slice.size());
    std::memcpy(at, slice.data(), take);
    at += take;
    n -= take;
    if (n == 0) break;
  }
  return at;
}

}  // namespace

// --- in

bool Session::OnUsualTransfer(const uint8_t* body, uint32_t size, Event& event) {
  UsualTransfer transfer;
  if (end_sent_ || !transfer.Read(body, size)) return false;
  const LinkIndex index = incoming_handles_.Find(transfer.handle);
  if (index == NumberMap::kNone || transfer.delivery_id != incoming_.next()) return false;
  Link& link = *context_.links[index];
  if (incoming_window_ == 0 || !link.TakesWhole()) return false;
  if (!incoming_.HasRoom(transfer.settled)) return false;

  incoming_known_ = true;
  ++next_incoming_id_;
  if (--incoming_window_ <= window_low_) MarkDue();
  if (transfer.settled) {
    incoming_.Skip();
  } else {
    incoming_.Add(index, 0);
    link.used = true;
  }
  --link.credit;
  ++link.delivery_count;
  if (link.FlowWorthwhile()) QueueFlow(link);
  const uint32_t bytes = static_cast<uint32_t>(transfer.payload.size());
  link.held_bytes += bytes;
  held_bytes_ += bytes;
  if (bytes > frame_bytes_seen_) frame_bytes_seen_ = bytes;

  FillLink(link, EventKind::kTransfer, event);
  event.first = true;
  event.more = false;
  event.aborted = false;
  event.settled = transfer.settled;
  event.delivery = transfer.delivery_id;
  event.delivery_user = 0;
  event.message_format = transfer.message_format;
  event.tag = transfer.tag;
  event.payload = Slice(context_.input.block(),
                        reinterpret_cast<const uint8_t*>(transfer.payload.data()), bytes);
  return true;
}

bool Session::OnTransfer(const TransferFrame& frame, Event& event) {
  if (incoming_window_ == 0) [[unlikely]] {
    End(Fault::kSessionWindow, condition::kWindowViolation, "transfer beyond the incoming window");
    return false;
  }
  ++next_incoming_id_;
  if (--incoming_window_ <= window_low_) MarkDue();
  const LinkIndex index = incoming_handles_.Find(frame.handle);
  if (index == NumberMap::kNone) [[unlikely]] {
    End(Fault::kRules, condition::kUnattachedHandle, "transfer on a handle that is not attached");
    return false;
  }
  Link& link = *context_.links[index];
  const bool first = !link.partial;
  if (!(first ? StartIncoming(link, frame) : ContinueIncoming(link, frame))) return false;
  link.partial = frame.more && !frame.aborted;

  const uint32_t bytes = static_cast<uint32_t>(frame.payload.size());
  link.held_bytes += bytes;
  held_bytes_ += bytes;
  frame_bytes_seen_ = std::max(frame_bytes_seen_, bytes);

  FillLink(link, EventKind::kTransfer, event);
  event.first = first;
  event.more = link.partial;
  event.aborted = frame.aborted;
  event.settled = link.partial_settled;
  event.delivery = link.partial_delivery;
  event.delivery_user = link.partial_user;
  event.message_format = frame.message_format;
  event.tag = frame.tag;
  event.payload =
      Slice(context_.input.block(), reinterpret_cast<const uint8_t*>(frame.payload.data()), bytes);
  return true;
}

// The first frame of a delivery; false if it is not to be reported.
inline bool Session::StartIncoming(Link& link, const TransferFrame& frame) {
  const bool expected = frame.has_id && frame.has_tag && frame.delivery_id == incoming_.next();
  if (!expected && !AdoptDeliveryId(frame)) return false;
  link.partial_delivery = frame.delivery_id;
  link.partial_user = 0;
  link.partial_settled = frame.settled;
  const bool live = !(frame.settled | frame.aborted | frame.resume) && link.credit > 0 &&
                    link.open && link.role == Role::kReceiver &&
                    frame.tag.size() <= kDeliveryTagBytesMax;
  if (!HasRoom(incoming_, live)) return false;
  if (live) [[likely]] {
    incoming_.Add(link.index, 0);
    link.used = true;
  } else {
    incoming_.Skip();
    if (!MayTransfer(link, frame)) return false;
  }
  incoming_known_ = true;
  --link.credit;
  ++link.delivery_count;
  if (link.FlowWorthwhile()) QueueFlow(link);
  if (link.credit == 0 && link.drain) [[unlikely]] {
    context_.Add({ReportKind::kFlow, link.index});  // drained to the last
  }
  return true;
}

// The first id of a session is the peer's to choose; all others follow. False if it does not.
bool Session::AdoptDeliveryId(const TransferFrame& frame) {
  if (!frame.has_id || !frame.has_tag) {
    End(Fault::kRules, condition::kInvalidField, "delivery-id or delivery-tag is missing");
    return false;
  }
  if (incoming_known_) {
    End(Fault::kRules, condition::kInvalidField,
        absl::StrCat("delivery-id: ", frame.delivery_id, " where ", incoming_.next(),
                     " has its turn"));
    return false;
  }
  incoming_.StartAt(frame.delivery_id);
  return true;
}

// False if this peer may not send this: its mistake is answered.
bool Session::MayTransfer(Link& link, const TransferFrame& frame) {
  link.partial = frame.more && !frame.aborted;
  if (link.detach_sent) return false;
  if (link.role != Role::kReceiver) {
    FailLink(link, Fault::kRules, condition::kNotAllowed, "transfer to a sender");
    return false;
  }
  if (link.credit == 0) {
    FailLink(link, Fault::kLinkCredit, condition::kTransferLimitExceeded,
             "transfer without credit");
    return false;
  }
  if (frame.resume) {
    FailLink(link, Fault::kRules, condition::kNotImplemented, "deliveries cannot be resumed here");
    return false;
  }
  if (frame.tag.size() > kDeliveryTagBytesMax) {
    FailLink(link, Fault::kDeliveryTag, condition::kInvalidField,
             absl::StrCat("delivery-tag: longer than ", kDeliveryTagBytesMax, " bytes"));
    return false;
  }
  return true;
}

inline bool Session::ContinueIncoming(Link& link, const TransferFrame& frame) {
  if (frame.has_id && frame.delivery_id != link.partial_delivery) {
    End(Fault::kRules, condition::kInvalidField,
        absl::StrCat("delivery-id: ", frame.delivery_id, " within delivery ",
                     link.partial_delivery));
    return false;
  }
  if (link.detach_sent) {
    link.partial = frame.more && !frame.aborted;
    return false;
  }
  link.partial_settled |= frame.settled;
  if (!link.partial_settled && !frame.aborted) return true;
  if (UnsettledEntry* entry = incoming_.Find(link.partial_delivery)) {
    incoming_.Settle(link.partial_delivery, *entry);
    MarkDue();
  }
  return true;
}

// Makes room in a map that is full; false if that ended the session.
bool Session::MakeRoom(UnsettledMap& map) {
  // What is marked has to leave the ring before others are moved aside.
  FlushDispositions();
  DropLeft();
  if (!map.Full() || map.Grow()) return true;
  End(Fault::kUnsettled, condition::kResourceLimitExceeded, "too many unsettled deliveries");
  return false;
}

// --- out

// A whole delivery that may be sent now and goes into one frame by copying is sent here: most are.
SendResult Session::Send(Link& link, Outgoing& delivery) {
  const bool usual = link.open & delivery.complete & !delivery.aborted & !delivery.started;
  constexpr uint32_t kOverhead = kFrameHeaderBytes + kTransferHeadMax;
  const uint64_t bytes = delivery.payload->bytes();
  if (!usual || bytes >= Output::kShareMin || link.credit == 0 || outgoing_window_ == 0 ||
      bytes + kOverhead > context_.frames.frame_bytes_max() ||
      !outgoing_.HasRoom(delivery.settled)) {
    return SendFrames(link, delivery);
  }
  const uint32_t id = outgoing_.next();
  if (delivery.settled) {
    outgoing_.Skip();
  } else {
    outgoing_.Add(link.index, delivery.user);
    link.used = true;
  }
  delivery.delivery = id;
  delivery.started = true;
  --link.credit;
  ++link.delivery_count;
  ++next_outgoing_id_;
  --outgoing_window_;

  Output& output = context_.frames.output();
  uint8_t* frame = output.Reserve(kOverhead + Output::kShareMin);
  uint8_t* end = frame + kFrameHeaderBytes;
  end += PutTransferHead({.handle = link.handle,
                          .first = true,
                          .settled = delivery.settled,
                          .delivery_id = id,
                          .message_format = delivery.message_format,
                          .tag = link.tags_used++},
                         end);
  for (const Slice& slice : delivery.payload->slices()) {
    std::memcpy(end, slice.data(), slice.size());
    end += slice.size();
  }
  const uint32_t size = static_cast<uint32_t>(end - frame);
  PutFrameHeader(frame, size, channel_);
  output.Commit(size);
  context_.frames.Count();
  delivery.payload->Clear();
  return SendResult::kSent;
}

SendResult Session::SendFrames(Link& link, Outgoing& delivery) {
  if (!link.open) return SendResult::kNoCredit;
  if (delivery.aborted) return SendAbort(link, delivery);
  const bool first = !delivery.started;
  if (first && link.credit == 0) return SendResult::kNoCredit;
  if (delivery.payload->empty() && !delivery.complete) return SendResult::kPartial;
  if (outgoing_window_ == 0) {
    blocked_ = true;
    return SendResult::kBlocked;
  }
  if (first && !StartOutgoing(link, delivery)) return SendResult::kBlocked;
  const uint64_t before = delivery.payload->bytes();
  bool done = WriteTransfer(link, delivery, first);
  while (!done) {
    if (before - delivery.payload->bytes() >= delivery.bytes_max) return SendResult::kQuantum;
    if (outgoing_window_ == 0) {
      blocked_ = true;
      return SendResult::kBlocked;
    }
    done = WriteTransfer(link, delivery, false);
  }
  return delivery.complete ? SendResult::kSent : SendResult::kPartial;
}

// Gives the delivery its id, and takes credit for it. False if that ended the session.
inline bool Session::StartOutgoing(Link& link, Outgoing& delivery) {
  if (!HasRoom(outgoing_, !delivery.settled)) return false;
  delivery.delivery = outgoing_.next();
  delivery.started = true;
  if (delivery.settled) {
    outgoing_.Skip();
  } else {
    outgoing_.Add(link.index, delivery.user);
    link.used = true;
  }
  --link.credit;
  ++link.delivery_count;
  return true;
}

inline bool Session::WriteTransfer(Link& link, Outgoing& delivery, bool first) {
  Payload& payload = *delivery.payload;
  Output& output = context_.frames.output();
  TransferHead head{.handle = link.handle,
                    .first = first,
                    .more = !delivery.complete,
                    .settled = delivery.settled,
                    .delivery_id = delivery.delivery,
                    .message_format = delivery.message_format,
                    .tag = first ? link.tags_used++ : 0};
  uint8_t* frame = output.Reserve(kFrameHeaderBytes + kTransferHeadMax + Output::kShareMin);
  uint8_t* body = frame + kFrameHeaderBytes;
  const uint32_t frame_max = std::min(context_.frames.frame_bytes_max(), kFrameBytesSent);
  uint32_t used = kFrameHeaderBytes + PutTransferHead(head, body);
  uint64_t take = payload.bytes();
  if (take > frame_max - used) {
    if (!head.more) {
      head.more = true;
      used = kFrameHeaderBytes + PutTransferHead(head, body);
    }
    take = frame_max - used;
  }
  const uint32_t bytes = static_cast<uint32_t>(take);
  PutFrameHeader(frame, used + bytes, channel_);
  if (bytes < Output::kShareMin) {
    output.Commit(static_cast<uint32_t>(CopyPayload(payload, bytes, frame + used) - frame));
  } else {
    output.Commit(used);
    AppendPayload(payload, bytes, output);
  }
  context_.frames.Count();
  ++next_outgoing_id_;
  --outgoing_window_;
  const bool all = take == payload.bytes();
  if (all) {
    payload.Clear();
  } else {
    payload.RemovePrefix(take);
  }
  return all;
}

SendResult Session::SendAbort(Link& link, Outgoing& delivery) {
  delivery.payload->Clear();
  if (!delivery.started) return SendResult::kSent;
  if (outgoing_window_ == 0) {
    blocked_ = true;
    return SendResult::kBlocked;
  }
  if (UnsettledEntry* entry = outgoing_.Find(delivery.delivery)) {
    outgoing_.Settle(delivery.delivery, *entry);
    MarkDue();
  }
  const Transfer transfer{.handle = link.handle, .aborted = true};
  uint8_t* frame = context_.frames.output().Reserve(kFrameHeaderBytes + kTransferBytesMax);
  const uint32_t size = kFrameHeaderBytes +
                        static_cast<uint32_t>(EncodeTransfer(transfer, frame + kFrameHeaderBytes));
  PutFrameHeader(frame, size, channel_);
  context_.frames.output().Commit(size);
  context_.frames.Count();
  ++next_outgoing_id_;
  --outgoing_window_;
  return SendResult::kSent;
}

}  // namespace trunkline::amqp
