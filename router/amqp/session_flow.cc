#include <algorithm>

#include "absl/strings/str_cat.h"
#include "router/amqp/session.h"

// Windows of a session and credit of its links: what may be sent, and telling the peer.
namespace trunkline::amqp {
namespace {

// Frames are counted as at least this part of the largest, however small they are.
constexpr uint32_t kFrameShareMax = 8;

// How many more frames may come or go: the window that was named, less what its namer had not seen
// then.
uint32_t WindowLeft(uint32_t window, uint32_t next, uint32_t seen) {
  const int32_t unseen = std::max(0, SerialDistance(next, seen));
  return window > static_cast<uint32_t>(unseen) ? window - static_cast<uint32_t>(unseen) : 0;
}

}  // namespace

void Session::ListDue() {
  due_ = true;
  context_.due.push_back(channel_);
}

void Session::ListFlow(Link& link) {
  link.queued = true;
  context_.due_links.push_back(link.index);
}

// Frames that fit into the bytes that are free. They are taken to be as large as the largest of
// late: a peer with small messages is not slowed down by a window made for large frames. One that
// turns to large frames finds the window closed after at most kFrameShareMax times window_bytes.
//
// Two of the largest frames always fit: a part of a delivery may be held until more of it comes,
// and a large frame that was seen must not keep the window closed for what that part waits for.
uint32_t Session::WindowWanted() const {
  const uint64_t bytes =
      std::max<uint64_t>(context_.window_bytes, uint64_t{2} * context_.frame_bytes_max);
  if (held_bytes_ >= bytes) return 0;
  return static_cast<uint32_t>((bytes - held_bytes_) / frame_bytes_expected_);
}

// Before any has come: a quarter, so that a link's usual credit of small messages may come before
// the peer hears from us (256 frames by default), and large ones hold four windows at most.
uint32_t Session::FrameBytesFirst() const {
  return std::max(kFrameBytesMin, context_.frame_bytes_max / 4);
}

uint32_t Session::FrameBytesLeast() const {
  return std::max(kFrameBytesMin, context_.frame_bytes_max / kFrameShareMax);
}

void Session::ExpectFramesAsSeen() {
  if (frame_bytes_seen_ == 0) return;
  frame_bytes_expected_ =
      std::max({frame_bytes_seen_, frame_bytes_expected_ / 2, FrameBytesLeast()});
  frame_bytes_seen_ = 0;
}

// The session part of a flow. Announces the window, which never shrinks below what the peer was
// told before.
void Session::FillFlow(Flow& flow) {
  ExpectFramesAsSeen();
  incoming_window_ = std::max(incoming_window_, WindowWanted());
  window_low_ = incoming_window_ / 2;
  if (begin_received_) flow.next_incoming_id = next_incoming_id_;
  flow.incoming_window = incoming_window_;
  flow.next_outgoing_id = next_outgoing_id_;
  flow.outgoing_window = kOutgoingWindow;
  flow_due_ = false;
}

void Session::WriteFlow(Link& link) {
  link.queued = false;
  if (!link.open) return;
  if (!link.FlowWorthwhile()) return;
  Flow flow;
  FillFlow(flow);
  link.FillFlow(flow);
  context_.frames.Write(channel_, flow);
}

void Session::Flush() {
  due_ = false;
  if (end_sent_) return;
  FlushDispositions();
  DropLeft();
  incoming_.Trim();
  outgoing_.Trim();
  if (incoming_.Overrun() || outgoing_.Overrun()) {
    return End(Fault::kUnsettled, condition::kResourceLimitExceeded,
               "a delivery was left unsettled for too long");
  }
  // The window is worth announcing once the peer has used up half of it. A window of one large
  // frame that a smaller one has used up would never open while that one is held.
  if (incoming_window_ <= window_low_) ExpectFramesAsSeen();
  const uint32_t wanted = WindowWanted();
  if (!flow_due_ && (wanted == 0 || incoming_window_ > wanted / 2)) return;
  Flow flow;
  FillFlow(flow);
  context_.frames.Write(channel_, flow);
}

bool Session::OnFlow(const Flow& flow, Event& event) {
  next_incoming_id_ = flow.next_outgoing_id;
  outgoing_window_ =
      WindowLeft(flow.incoming_window, next_outgoing_id_, flow.next_incoming_id.value_or(0));
  if (blocked_ && outgoing_window_ > 0) {
    blocked_ = false;
    context_.Add({ReportKind::kWritable, channel_});
  }
  if (!flow.handle.has_value()) {
    if (flow.echo) {
      flow_due_ = true;
      MarkDue();
    }
    return false;
  }
  const LinkIndex index = incoming_handles_.Find(*flow.handle);
  if (index == NumberMap::kNone) {
    End(Fault::kRules, condition::kUnattachedHandle, absl::StrCat("flow on handle ", *flow.handle));
    return false;
  }
  Link& link = *context_.Find(index);
  if (link.detach_sent) return false;
  link.TakeFlow(flow);
  if (!link.attach_sent) {
    link.aside->flow_came = true;
    link.aside->echo |= flow.echo;
    return false;
  }
  FillLink(link, EventKind::kLinkFlow, event);
  event.credit = link.credit + link.grant;
  event.drain = link.drain;
  event.echo = flow.echo;
  if (link.role == Role::kReceiver && link.credit == 0) link.drain = false;
  return true;
}

bool Session::ReportFlow(Link& link, Event& event) {
  if (!link.attach_sent || link.detach_sent || end_sent_) return false;
  FillLink(link, EventKind::kLinkFlow, event);
  event.credit = link.credit + link.grant;
  event.drain = link.drain;
  event.echo = false;
  if (link.aside != nullptr) {
    event.echo = link.aside->echo;
    if (!link.aside->detach_came) link.aside.reset();
  }
  if (link.role == Role::kReceiver && link.credit == 0) link.drain = false;
  return true;
}

void Session::Drain(Link& link) {
  if (link.role != Role::kReceiver || link.detach_sent) return;
  link.drain = true;
  // Without credit there is nothing to ask for, and the peer need not answer.
  if (link.credit == 0 && link.grant == 0) {
    context_.Add({ReportKind::kFlow, link.index});
    return;
  }
  link.flow_due = true;
  QueueFlow(link);
}

}  // namespace trunkline::amqp
