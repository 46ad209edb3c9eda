#include "router/amqp/session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/amqp/engine.h"

// Life of a session and of its links. Windows and flows are in session_flow.cc, transfers in
// session_transfer.cc, settlement in session_settle.cc.
namespace trunkline::amqp {
namespace {

Role Opposite(Role role) { return role == Role::kSender ? Role::kReceiver : Role::kSender; }

Condition MakeCondition(std::string_view name, std::string_view description) {
  return Condition{.name = std::string(name), .description = std::string(description)};
}

}  // namespace

void SessionContext::Fail(Fault fault, std::string_view name, std::string_view description) {
  pending = true;
  if (failing) return;
  failing = true;
  Count(fault, FaultScope::kConnection);
  failure = MakeCondition(name, description);
}

void SessionContext::SetError(Event& event, const Condition& condition) {
  error = std::make_unique<Condition>(condition);
  event.error = error.get();
}

Session::Session(SessionContext& context, uint16_t channel)
    : context_(context), channel_(channel), frame_bytes_expected_(FrameBytesFirst()) {
  incoming_window_ = WindowWanted();
  window_low_ = incoming_window_ / 2;
}

// --- life

void Session::WriteBegin() {
  Begin begin{.next_outgoing_id = next_outgoing_id_,
              .incoming_window = incoming_window_,
              .outgoing_window = kOutgoingWindow,
              .handle_max = context_.handle_max};
  if (begin_received_) begin.remote_channel = remote_channel_;
  context_.frames.Write(channel_, begin);
}

void Session::OnBegin(const Begin& begin, uint16_t remote_channel) {
  begin_received_ = true;
  remote_channel_ = remote_channel;
  next_incoming_id_ = begin.next_outgoing_id;
  outgoing_window_ = begin.incoming_window;
  remote_handle_max_ = begin.handle_max;
  // Answers a session of ours: links may have been waiting for it.
  if (begin.remote_channel.has_value()) context_.Add({ReportKind::kWritable, channel_});
}

void Session::End(Fault fault, std::string_view name, std::string_view description) {
  if (!end_sent_) context_.Count(fault, FaultScope::kSession);
  End(MakeCondition(name, description));
}

void Session::End(const Condition& error) {
  if (end_sent_) return;
  FlushDispositions();
  DropLeft();
  context_.frames.WriteError(channel_, amqp::End{error});
  end_sent_ = true;
  CloseLinks();
  if (error) error_ = std::make_unique<Condition>(error);
  context_.Add({ReportKind::kOver, channel_});
}

void Session::OnEnd(const amqp::End& end) {
  end_received_ = true;
  if (end.error && error_ == nullptr) error_ = std::make_unique<Condition>(end.error);
  if (!end_sent_) {
    DropLeft();
    context_.frames.Write(channel_, amqp::End{});
    end_sent_ = true;
    CloseLinks();
  }
  context_.Add({ReportKind::kOver, channel_});
}

void Session::CloseLinks() {
  for (const LinkIndex index : outgoing_handles_) {
    if (Link* link = context_.Find(index)) link->open = false;
  }
}

bool Session::NextOfOver(Event& event) {
  if (!end_sent_) return false;
  const Condition none;
  while (!outgoing_handles_.empty()) {
    Link* link = context_.Find(outgoing_handles_.back());
    if (link == nullptr) {
      outgoing_handles_.pop_back();
      continue;
    }
    const bool tell = link->reported && !link->over;
    if (tell) {
      FillDetached(*link, error_ == nullptr ? none : *error_, event);
      event.implied = true;
    }
    FreeLink(*link);
    if (tell) return true;
  }
  if (!end_received_) return false;
  event.kind = EventKind::kEnded;
  event.session = channel_;
  context_.SetError(event, error_ == nullptr ? none : *error_);
  return true;
}

// --- links

Link* Session::NewLink(Role role, std::string name) {
  uint32_t handle = handle_hint_;
  while (handle < outgoing_handles_.size() && outgoing_handles_[handle] != NumberMap::kNone) {
    ++handle;
  }
  if (handle > remote_handle_max_) return nullptr;
  handle_hint_ = handle + 1;
  if (handle == outgoing_handles_.size()) outgoing_handles_.push_back(NumberMap::kNone);

  LinkIndex index = static_cast<LinkIndex>(context_.links.size());
  if (context_.links_free.empty()) {
    context_.links.emplace_back();
  } else {
    index = context_.links_free.back();
    context_.links_free.pop_back();
  }
  outgoing_handles_[handle] = index;
  context_.links[index] = std::make_unique<Link>();
  Link& link = *context_.links[index];
  link.index = index;
  link.handle = handle;
  link.session = this;
  link.role = role;
  link.aside = std::make_unique<LinkAside>();
  link.aside->name = std::move(name);
  return &link;
}

Link* Session::FindStarted(std::string_view name, Role role) {
  if (started_ == 0) return nullptr;
  for (const LinkIndex index : outgoing_handles_) {
    Link* link = context_.Find(index);
    if (link != nullptr && !link->attach_received && link->role == role &&
        link->aside->name == name) {
      return link;
    }
  }
  return nullptr;
}

void Session::FreeLink(Link& link) {
  DropUnsettled(link);
  if (!link.attach_received) --started_;
  if (link.attach_received && !link.detach_received) incoming_handles_.Erase(link.remote_handle);
  handle_hint_ = std::min(handle_hint_, link.handle);
  outgoing_handles_[link.handle] = NumberMap::kNone;
  while (!outgoing_handles_.empty() && outgoing_handles_.back() == NumberMap::kNone) {
    outgoing_handles_.pop_back();
  }
  held_bytes_ -= link.held_bytes;
  if (incoming_window_ <= window_low_) MarkDue();  // others may have waited for that room
  const LinkIndex index = link.index;
  if (leavers_) {
    left_.push_back(index);
    ++context_.links_leaving;
  } else {
    context_.links_free.push_back(index);
  }
  context_.links[index].reset();
}

std::string Session::TooManyLinks() const {
  return absl::StrCat("more than ", context_.links_max, " links on this connection");
}

bool Session::OnAttach(Attach attach, Event& event) {
  if (attach.handle > context_.handle_max) {
    context_.Fail(Fault::kHandles, condition::kFramingError,
                  absl::StrCat("handle ", attach.handle, " is above ", context_.handle_max));
    return false;
  }
  if (incoming_handles_.Find(attach.handle) != NumberMap::kNone) {
    End(Fault::kRules, condition::kHandleInUse,
        absl::StrCat("handle ", attach.handle, " is in use"));
    return false;
  }
  const Role role = Opposite(attach.role);
  Link* link = FindStarted(attach.name, role);
  const bool answer = link != nullptr;
  if (answer) {
    --started_;
  } else {
    if (context_.LinksNow() >= context_.links_max + kLinksRefusedMax) {
      context_.Fail(Fault::kLinks, condition::kResourceLimitExceeded, TooManyLinks());
      return false;
    }
    link = NewLink(role, attach.name);
    if (link == nullptr) {
      End(Fault::kHandles, condition::kResourceLimitExceeded, "no handle is left to answer with");
      return false;
    }
  }
  link->attach_received = true;
  link->remote_handle = attach.handle;
  incoming_handles_.Set(attach.handle, link->index);
  if (answer) link->aside.reset();
  if (link->detach_sent) return false;
  if (!answer && context_.LinksNow() > context_.links_max) {
    FailLink(*link, Fault::kLinks, condition::kResourceLimitExceeded, TooManyLinks());
    return false;
  }
  if (role == Role::kReceiver) {
    // A refusal has nothing to count.
    if (!attach.initial_delivery_count.has_value() && (!answer || attach.source.present)) {
      FailLink(*link, Fault::kRules, condition::kInvalidField, "initial-delivery-count: missing");
      return false;
    }
    link->delivery_count = attach.initial_delivery_count.value_or(0);
  }
  link->reported = true;
  context_.attach = std::make_unique<Attach>(std::move(attach));
  FillLink(*link, EventKind::kAttached, event);
  event.answer = answer;
  event.attach = context_.attach.get();
  return true;
}

void Session::WriteAttach(Link& link, Attach attach) {
  attach.handle = link.handle;
  attach.role = link.role;
  attach.initial_delivery_count.reset();
  if (link.role == Role::kSender) attach.initial_delivery_count = 0;
  link.attach_sent = true;
  link.open = !link.detach_received;
  if (context_.frames.Write(channel_, attach)) return;
  End(Fault::kRules, condition::kFrameSizeTooSmall, "attach does not fit into a frame");
}

LinkIndex Session::StartLink(Attach attach) {
  if (end_sent_ || end_received_) return kNoLink;
  Link* link = NewLink(attach.role, attach.name);
  if (link == nullptr) return kNoLink;
  ++started_;
  link->reported = true;
  WriteAttach(*link, std::move(attach));
  return link->index;
}

void Session::AnswerAttach(Link& link, Attach attach) {
  if (link.attach_sent || end_sent_) return;
  attach.name = link.aside->name;
  WriteAttach(link, std::move(attach));
  if (link.aside->flow_came) context_.Add({ReportKind::kFlow, link.index});
  if (link.aside->detach_came) {
    context_.Add({ReportKind::kDetach, link.index});
  } else if (!link.aside->flow_came) {
    link.aside.reset();
  }
  if (link.FlowWorthwhile()) QueueFlow(link);
}

void Session::Detach(Link& link, bool closed, const Condition& error) {
  if (link.detach_sent || end_sent_) return;
  if (!link.attach_sent) WriteAttach(link, Attach{.name = link.aside->name});
  if (end_sent_) return;  // that attach did not fit
  FlushDispositions();
  context_.frames.WriteError(
      channel_,
      amqp::Detach{.handle = link.handle, .closed = closed || link.remote_closed, .error = error});
  link.detach_sent = true;
  link.open = false;
  DropUnsettled(link);
  // A detach that came early is reported first.
  if (link.detach_received && link.over) FreeLink(link);
}

// The engine detaches a link for a mistake of the peer; the owner is told, if it knows the link.
void Session::FailLink(Link& link, Fault fault, std::string_view name,
                       std::string_view description) {
  context_.Count(fault, FaultScope::kLink);
  const Condition error = MakeCondition(name, description);
  link.failed = true;
  Detach(link, true, error);
  if (!link.reported || end_sent_) return;
  if (link.aside == nullptr) link.aside = std::make_unique<LinkAside>();
  link.aside->error = error;
  context_.Add({ReportKind::kDetach, link.index});
}

bool Session::OnDetach(amqp::Detach detach, Event& event) {
  const LinkIndex index = incoming_handles_.Find(detach.handle);
  if (index == NumberMap::kNone) {
    End(Fault::kRules, condition::kUnattachedHandle,
        absl::StrCat("detach of handle ", detach.handle));
    return false;
  }
  Link& link = *context_.Find(index);
  incoming_handles_.Erase(detach.handle);
  link.detach_received = true;
  link.open = false;
  link.remote_closed = detach.closed;
  if (link.detach_sent) {
    const bool tell = link.reported && !link.over;
    if (tell) {
      FillDetached(link, detach.error, event);
      event.answer = true;
    }
    FreeLink(link);
    return tell;
  }
  if (!link.attach_sent) {
    link.aside->detach_came = true;
    link.aside->error = std::move(detach.error);
    return false;
  }
  FlushDispositions();
  DropUnsettled(link);
  return FillDetached(link, detach.error, event);
}

bool Session::FillDetached(Link& link, const Condition& error, Event& event) {
  link.over = true;
  FillLink(link, EventKind::kDetached, event);
  context_.SetError(event, error);
  event.closed = link.remote_closed;
  event.answer = false;
  event.implied = false;
  return true;
}

// A detach that came before our attach, or one by the engine. The index may stand for another link
// by now: then there is nothing to say.
bool Session::ReportDetach(Link& link, Event& event) {
  if (link.over || link.aside == nullptr || end_sent_) return false;
  if (!link.failed && !(link.aside->detach_came && link.attach_sent)) return false;
  const std::unique_ptr<LinkAside> aside = std::move(link.aside);
  DropUnsettled(link);
  FillDetached(link, aside->error, event);
  event.implied = link.failed;
  event.answer = link.detach_sent && !link.failed;
  if (link.detach_sent && link.detach_received) FreeLink(link);
  return true;
}

// Nothing is reported of them any more. The flush takes them out.
void Session::DropUnsettled(Link& link) {
  if (!link.used) return;
  link.used = false;
  if (end_sent_) return;  // nobody looks
  leavers_ = true;
  MarkDue();
}

// What links that have left had unsettled is over.
void Session::DropLeft() {
  if (!leavers_) return;
  leavers_ = false;
  const auto is_gone = [this](LinkIndex index) {
    const Link* link = context_.Find(index);
    return link == nullptr || !link->used;
  };
  incoming_.DropLinks(is_gone);
  outgoing_.DropLinks(is_gone);
  context_.links_leaving -= static_cast<uint32_t>(left_.size());
  context_.links_free.insert(context_.links_free.end(), left_.begin(), left_.end());
  left_ = {};
}

}  // namespace trunkline::amqp
