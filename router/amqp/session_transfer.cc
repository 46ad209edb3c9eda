#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "router/amqp/engine.h"
#include "router/amqp/session.h"

// Deliveries on their way in and out, frame by frame.
namespace trunkline::amqp {
namespace {

// Delivery tags are counters of this size, least significant byte first.
constexpr size_t kTagBytes = 8;
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

bool Session::OnTransfer(const Transfer& transfer, std::string_view payload, Event& event) {
  if (incoming_window_ == 0) {
    End(condition::kWindowViolation, "transfer beyond the incoming window");
    return false;
  }
  ++next_incoming_id_;
  if (--incoming_window_ <= window_low_) MarkDue();
  const LinkIndex index = incoming_handles_.Find(transfer.handle);
  if (index == NumberMap::kNone) {
    End(condition::kUnattachedHandle, absl::StrCat("transfer on handle ", transfer.handle));
    return false;
  }
  Link& link = *context_.links[index];
  const bool first = !link.partial;
  if (!(first ? StartIncoming(link, transfer) : ContinueIncoming(link, transfer))) return false;
  link.partial = transfer.more && !transfer.aborted;

  const uint32_t bytes = static_cast<uint32_t>(payload.size());
  link.held_bytes += bytes;
  held_bytes_ += bytes;
  frame_bytes_seen_ = std::max(frame_bytes_seen_, bytes);

  FillLink(link, EventKind::kTransfer, event);
  event.first = first;
  event.more = link.partial;
  event.aborted = transfer.aborted;
  event.settled = link.partial_settled;
  event.delivery = link.partial_delivery;
  event.delivery_user = link.partial_user;
  event.message_format = transfer.message_format.value_or(0);
  event.tag = transfer.delivery_tag.value_or(std::string_view());
  event.payload =
      Slice(context_.input.block(), reinterpret_cast<const uint8_t*>(payload.data()), bytes);
  return true;
}

// The first frame of a delivery; false if it is not to be reported.
bool Session::StartIncoming(Link& link, const Transfer& transfer) {
  if (!transfer.delivery_id.has_value() || !transfer.delivery_tag.has_value()) {
    End(condition::kInvalidField, "delivery-id or delivery-tag is missing");
    return false;
  }
  const uint32_t id = *transfer.delivery_id;
  if (id != incoming_.next()) {
    if (incoming_known_) {
      End(condition::kInvalidField,
          absl::StrCat("delivery-id: ", id, " where ", incoming_.next(), " has its turn"));
      return false;
    }
    incoming_.StartAt(id);
  }
  incoming_known_ = true;
  link.partial_delivery = id;
  link.partial_user = 0;
  link.partial_settled = transfer.settled.value_or(false);
  const bool live = !link.partial_settled && !transfer.aborted && !transfer.resume &&
                    link.credit > 0 && link.role == Role::kReceiver && !link.detach_sent;
  if (!HasRoom(incoming_, live)) return false;
  if (live) [[likely]] {
    incoming_.Add().link = link.index;
    ++link.unsettled;
  } else {
    incoming_.Skip();
    if (!MayTransfer(link, transfer)) return false;
  }
  --link.credit;
  ++link.delivery_count;
  if (link.FlowWorthwhile()) QueueFlow(link);
  if (link.credit == 0 && link.drain) [[unlikely]] {
    context_.Add({ReportKind::kFlow, link.index});  // drained to the last
  }
  return true;
}

// False if this peer may not send this: its mistake is answered.
bool Session::MayTransfer(Link& link, const Transfer& transfer) {
  link.partial = transfer.more && !transfer.aborted;
  if (link.detach_sent) return false;
  if (link.role != Role::kReceiver) {
    FailLink(link, condition::kNotAllowed, "transfer to a sender");
    return false;
  }
  if (link.credit == 0) {
    FailLink(link, condition::kTransferLimitExceeded, "transfer without credit");
    return false;
  }
  if (transfer.resume) {
    FailLink(link, condition::kNotImplemented, "deliveries cannot be resumed here");
    return false;
  }
  return true;
}

bool Session::ContinueIncoming(Link& link, const Transfer& transfer) {
  if (transfer.delivery_id.has_value() && *transfer.delivery_id != link.partial_delivery) {
    End(condition::kInvalidField, absl::StrCat("delivery-id: ", *transfer.delivery_id,
                                               " within delivery ", link.partial_delivery));
    return false;
  }
  if (link.detach_sent) {
    link.partial = transfer.more && !transfer.aborted;
    return false;
  }
  link.partial_settled |= transfer.settled.value_or(false);
  if (!link.partial_settled && !transfer.aborted) return true;
  if (incoming_.Find(link.partial_delivery) != nullptr) {
    incoming_.Settle(link.partial_delivery);
    --link.unsettled;
    MarkDue();
  }
  return true;
}

void Session::SetDeliveryUser(Link& link, uint32_t delivery, uint64_t user) {
  if (link.partial && link.partial_delivery == delivery) link.partial_user = user;
  UnsettledEntry* entry = MapOf(link.role).Find(delivery);
  if (entry != nullptr && entry->link == link.index) entry->user = user;
}

// Makes room in a map for one more delivery; false if that ended the session.
bool Session::HasRoom(UnsettledMap& map, bool live) {
  if (!map.Full() || (map.Lone() && !live)) [[likely]]
    return true;
  // What is marked has to leave the ring before others are moved aside.
  FlushDispositions();
  if (!map.Full() || map.Grow()) return true;
  End(condition::kResourceLimitExceeded, "too many unsettled deliveries");
  return false;
}

// --- out

SendResult Session::Send(Link& link, Outgoing& delivery) {
  if (end_sent_ || end_received_ || link.detach_sent || link.detach_received) {
    return SendResult::kNoCredit;
  }
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
bool Session::StartOutgoing(Link& link, Outgoing& delivery) {
  if (!HasRoom(outgoing_, !delivery.settled)) return false;
  delivery.delivery = outgoing_.next();
  delivery.started = true;
  if (delivery.settled) {
    outgoing_.Skip();
  } else {
    UnsettledEntry& entry = outgoing_.Add();
    entry.user = delivery.user;
    entry.link = link.index;
    ++link.unsettled;
  }
  --link.credit;
  ++link.delivery_count;
  return true;
}

bool Session::WriteTransfer(Link& link, Outgoing& delivery, bool first) {
  Payload& payload = *delivery.payload;
  Transfer transfer{.handle = link.handle};
  char tag[kTagBytes];
  if (first) {
    const uint64_t number = link.tags_used++;
    for (size_t i = 0; i < kTagBytes; ++i) tag[i] = static_cast<char>(number >> (8 * i));
    transfer.delivery_id = delivery.delivery;
    transfer.delivery_tag = std::string_view(tag, kTagBytes);
    transfer.message_format = delivery.message_format;
    if (delivery.settled) transfer.settled = true;
  }
  Output& output = context_.frames.output();
  const uint64_t left = payload.bytes();
  constexpr uint32_t kOverhead = kFrameHeaderBytes + static_cast<uint32_t>(kTransferBytesMax);
  uint8_t* frame = output.Reserve(kOverhead + Output::kShareMin);
  uint8_t* body = frame + kFrameHeaderBytes;
  uint32_t header = kFrameHeaderBytes + static_cast<uint32_t>(EncodeTransfer(transfer, body));
  const uint32_t frame_max = std::min(context_.frames.frame_bytes_max(), kFrameBytesSent);
  uint32_t take = frame_max - header;
  const bool all = left <= take;
  if (all) take = static_cast<uint32_t>(left);
  if (!all || !delivery.complete) {
    transfer.more = true;
    header = kFrameHeaderBytes + static_cast<uint32_t>(EncodeTransfer(transfer, body));
    take = std::min(take, frame_max - header);
  }
  PutFrameHeader(frame, header + take, channel_);
  if (take < Output::kShareMin) {
    output.Commit(static_cast<uint32_t>(CopyPayload(payload, take, frame + header) - frame));
  } else {
    output.Commit(header);
    AppendPayload(payload, take, output);
  }
  context_.frames.Count();
  ++next_outgoing_id_;
  --outgoing_window_;
  if (take == left) {
    payload.Clear();
  } else {
    payload.RemovePrefix(take);
  }
  return take == left;
}

SendResult Session::SendAbort(Link& link, Outgoing& delivery) {
  delivery.payload->Clear();
  if (!delivery.started) return SendResult::kSent;
  if (outgoing_window_ == 0) {
    blocked_ = true;
    return SendResult::kBlocked;
  }
  if (outgoing_.Find(delivery.delivery) != nullptr) {
    outgoing_.Settle(delivery.delivery);
    --link.unsettled;
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
