#include "router/conn/bridge.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/conn/attach.h"
#include "router/conn/marks.h"

namespace trunkline::conn {
namespace {

using core::InLink;
using core::OutLink;

// The two enumerations say the same, so that the hot path casts.
static_assert(static_cast<int>(amqp::SendResult::kSent) ==
              static_cast<int>(core::SendOutcome::kSent));
static_assert(static_cast<int>(amqp::SendResult::kPartial) ==
              static_cast<int>(core::SendOutcome::kPartial));
static_assert(static_cast<int>(amqp::SendResult::kQuantum) ==
              static_cast<int>(core::SendOutcome::kQuantum));
static_assert(static_cast<int>(amqp::SendResult::kBlocked) ==
              static_cast<int>(core::SendOutcome::kBlocked));
static_assert(static_cast<int>(amqp::SendResult::kNoCredit) ==
              static_cast<int>(core::SendOutcome::kNoCredit));

amqp::Outcome Accepted() { return {.kind = amqp::OutcomeKind::kAccepted, .raw = {}}; }

}  // namespace

void Bridge::Open(amqp::Engine& engine, const core::ConnectionInfo& info) {
  engine_ = &engine;
  max_message_size_ = info.max_message_size;
  connection_ = shard_.Open(*this, info);
}

void Bridge::Close() {
  if (engine_ == nullptr) return;
  shard_.Close(connection_);
  engine_ = nullptr;
  pending_ = {};
  settled_mode_links_ = {};
  sent_settled_ = {};
}

void Bridge::Enlist() {
  touched_ = true;
  workspace_.touched.push_back(tag_);
}

void Bridge::OnRareEvent(const amqp::Event& event) {
  switch (event.kind) {
    case amqp::EventKind::kLinkFlow:
      return OnLinkFlow(event);
    case amqp::EventKind::kAttached:
      return OnAttached(event);
    case amqp::EventKind::kDetached:
      return OnDetached(event);
    case amqp::EventKind::kWritable:
      return shard_.Resume(connection_);
    default:
      return;  // sessions come and go by themselves; the rest is the driver's
  }
}

bool Bridge::ResumeBelow(uint64_t output_bytes) {
  if (!blocked_ || output_bytes > kOutputLow || engine_ == nullptr) return false;
  blocked_ = false;
  shard_.Resume(connection_);
  return true;
}

bool Bridge::SettleSent() {
  if (sent_settled_.empty()) return false;
  const std::vector<uint64_t> users = std::exchange(sent_settled_, {});
  for (const uint64_t user : users) shard_.OnConsumerDisposition(user, Accepted(), true);
  return true;
}

// --- events: deliveries

void Bridge::OnTransfer(amqp::Event& event) {
  if (event.link_user == 0) {  // detached by us, and the peer does not know yet
    engine_->Release(event.link, event.payload.size());
    return;
  }
  if (!event.settled && !settled_mode_links_.empty() && IsSettledMode(event.link)) {
    return OnSettledModeTransfer(event);
  }
  const uint64_t user = shard_.OnTransfer(Handle<InLink>::Unpack(event.link_user),
                                          {.user = event.delivery_user,
                                           .first = event.first,
                                           .more = event.more,
                                           .aborted = event.aborted,
                                           .settled = event.settled,
                                           .delivery = event.delivery,
                                           .message_format = event.message_format,
                                           .payload = std::move(event.payload)});
  if (event.first && (event.more || !event.settled)) {
    engine_->SetDeliveryUser(event.link, event.delivery, user);
  }
}

// The link was promised to carry settled deliveries only; this one came unsettled all the same. It
// counts as settled and is settled towards the peer, which may wait for it (spec routing section
// 3).
void Bridge::OnSettledModeTransfer(amqp::Event& event) {
  event.settled = true;
  const uint64_t user = shard_.OnTransfer(Handle<InLink>::Unpack(event.link_user),
                                          {.user = event.delivery_user,
                                           .first = event.first,
                                           .more = event.more,
                                           .aborted = event.aborted,
                                           .settled = true,
                                           .delivery = event.delivery,
                                           .message_format = event.message_format,
                                           .payload = std::move(event.payload)});
  if (event.first && event.more) engine_->SetDeliveryUser(event.link, event.delivery, user);
  if (!event.more && !event.aborted) {
    engine_->Dispose(event.link, event.delivery, Accepted(), true);
  }
}

void Bridge::OnDisposition(const amqp::Event& event) {
  if (event.delivery_user == 0) return;
  if (event.role == amqp::Role::kSender) {
    shard_.OnConsumerDisposition(event.delivery_user, *event.outcome, event.settled);
  } else {
    shard_.OnProducerDisposition(event.delivery_user, *event.outcome, event.settled);
  }
}

void Bridge::OnLinkFlow(const amqp::Event& event) {
  if (event.link_user != 0) {
    if (event.role == amqp::Role::kSender) {
      shard_.OnFlow(Handle<OutLink>::Unpack(event.link_user), event.credit, event.drain);
    } else {
      shard_.OnProducerFlow(Handle<InLink>::Unpack(event.link_user), event.credit);
    }
  }
  if (event.echo) engine_->Echo(event.link);
}

bool Bridge::IsSettledMode(amqp::LinkIndex link) const {
  return std::find(settled_mode_links_.begin(), settled_mode_links_.end(), link) !=
         settled_mode_links_.end();
}

// --- events: links

void Bridge::OnAttached(const amqp::Event& event) {
  if (event.answer) return;  // of a link of ours, which the shard made itself
  const core::AttachRequest request = ReadAttach(*event.attach, event.role, event.link);
  if (request.address && request.address->size() > kAddressBytesMax) return RefuseAddress(event);
  pending_[event.link] = std::make_unique<Pending>(Pending{*event.attach, event.role});
  uint64_t user;
  if (request.presettled) settled_mode_links_.push_back(event.link);
  if (event.role == amqp::Role::kReceiver) {
    user = shard_.AttachIn(connection_, request).Pack();
  } else {
    user = shard_.AttachOut(connection_, request).Pack();
  }
  engine_->SetUser(event.link, user);
}

void Bridge::RefuseAddress(const amqp::Event& event) {
  workspace_.stats.faults.Count(amqp::Fault::kAddress, amqp::FaultScope::kLink);
  engine_->AnswerAttach(event.link, {});
  engine_->Detach(event.link, true,
                  {.name = std::string(amqp::condition::kInvalidField),
                   .description = absl::StrCat("address: longer than ", kAddressBytesMax, " bytes"),
                   .info = {}});
}

void Bridge::OnDetached(const amqp::Event& event) {
  if (event.link_user != 0) {
    if (event.role == amqp::Role::kSender) {
      shard_.DetachOut(Handle<OutLink>::Unpack(event.link_user));
    } else {
      shard_.DetachIn(Handle<InLink>::Unpack(event.link_user));
    }
    if (!event.implied) engine_->SetUser(event.link, 0);
  }
  std::erase(settled_mode_links_, event.link);
  const auto pending = pending_.extract(event.link);
  if (pending_.empty()) pending_ = {};
  if (event.implied) return;
  if (pending) {  // a detach needs an attach before it
    engine_->AnswerAttach(event.link, RefuseAttach(pending.mapped()->attach, event.role));
  }
  engine_->Detach(event.link, event.closed);
}

// --- core::Sink

void Bridge::Attached(core::LinkToken link, const core::AttachAnswer& answer) {
  const auto found = pending_.extract(link);
  if (!found) return;
  if (pending_.empty()) pending_ = {};
  const Pending& pending = *found.mapped();
  Touch();
  if (answer.refused) {
    engine_->AnswerAttach(link, RefuseAttach(pending.attach, pending.ours));
    engine_->Detach(link, true, answer.refused);
    engine_->SetUser(link, 0);
    return;
  }
  engine_->AnswerAttach(
      link, GrantAttach(pending.attach, pending.ours,
                        {.address = answer.address, .max_message_size = max_message_size_}));
}

void Bridge::Detach(core::LinkToken link, const amqp::Condition& error) {
  Touch();
  engine_->SetUser(link, 0);
  engine_->Detach(link, true, error);
}

void Bridge::Grant(core::LinkToken link, uint32_t credit) {
  if (quiesced_) return;
  Touch();
  engine_->Grant(link, credit);
}

void Bridge::Drain(core::LinkToken link) {
  Touch();
  engine_->Drain(link);
}

void Bridge::TakeCredit(core::LinkToken link) {
  Touch();
  engine_->TakeCredit(link);
}

void Bridge::GiveCreditBack(core::LinkToken link) {
  Touch();
  engine_->GiveCreditBack(link);
}

void Bridge::Release(core::LinkToken link, uint64_t bytes) {
  Touch();
  engine_->Release(link, bytes);
}

void Bridge::SettleIn(core::LinkToken link, uint32_t delivery, const amqp::Outcome& outcome,
                      bool settled) {
  Touch();
  engine_->Dispose(link, delivery, outcome, settled);
}

void Bridge::Close(const amqp::Condition& error) {
  Touch();
  if (close_request_ == nullptr) close_request_ = std::make_unique<amqp::Condition>(error);
}

core::SendOutcome Bridge::Send(core::LinkToken link, core::SendRequest& request) {
  // An abort is a few bytes, and frees what it ends.
  if (engine_->output().bytes() + ciphertext_bytes_ >= kOutputHigh && !request.aborted)
      [[unlikely]] {
    blocked_ = true;
    return core::SendOutcome::kBlocked;
  }
  Touch();
  if (!settled_mode_links_.empty()) [[unlikely]]
    return SendSettled(link, request);
  return SendAs(link, request, request.settled);
}

// The consumer may have asked for settled deliveries only. Then it will say nothing, and the
// producer is told as if it had accepted (as Dispatch does).
core::SendOutcome Bridge::SendSettled(core::LinkToken link, core::SendRequest& request) {
  if (request.settled || !IsSettledMode(link)) return SendAs(link, request, request.settled);
  const core::SendOutcome outcome = SendAs(link, request, true);
  if (outcome == core::SendOutcome::kSent && !request.aborted) {
    sent_settled_.push_back(request.user);
  }
  return outcome;
}

inline core::SendOutcome Bridge::SendAs(core::LinkToken link, core::SendRequest& request,
                                        bool settled) {
  amqp::Outgoing delivery{.user = request.user,
                          .message_format = request.message_format,
                          .settled = settled,
                          .complete = request.complete,
                          .aborted = request.aborted,
                          .bytes_max = request.bytes_max,
                          .payload = request.payload,
                          .started = request.started,
                          .delivery = request.delivery};
  const amqp::SendResult result = engine_->Send(link, delivery);
  request.started = delivery.started;
  request.delivery = delivery.delivery;
  return static_cast<core::SendOutcome>(result);
}

void Bridge::SettleOut(core::LinkToken link, uint32_t delivery, const amqp::Outcome& outcome,
                       bool settled) {
  Touch();
  engine_->Dispose(link, delivery, outcome, settled);
}

void Bridge::Drained(core::LinkToken link) {
  Touch();
  engine_->Drained(link);
}

}  // namespace trunkline::conn
