#include "tests/sim/receiver.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/message.h"

namespace trunkline::sim {

using amqp::OutcomeKind;

Receiver::Receiver(Context& context, amqp::Engine& engine, uint16_t session, uint64_t user,
                   ReceiverPlan plan)
    : context_(context),
      engine_(engine),
      plan_(std::move(plan)),
      link_(context.ledger.AddConsumer()) {
  link_.address = plan_.address;
  link_.shard = plan_.shard;
  link_.fallback = plan_.fallback;
  link_.dynamic = plan_.address.empty();
  link_.settled_mode = plan_.settled_mode;
  amqp::Attach attach;
  attach.name = absl::StrCat("receiver", link_.id);
  attach.role = amqp::Role::kReceiver;
  attach.snd_settle_mode =
      plan_.settled_mode ? amqp::SenderSettleMode::kSettled : amqp::SenderSettleMode::kMixed;
  attach.rcv_settle_mode =
      plan_.second ? amqp::ReceiverSettleMode::kSecond : amqp::ReceiverSettleMode::kFirst;
  attach.target.present = true;
  attach.source.present = true;
  attach.source.dynamic = plan_.address.empty();
  if (!plan_.address.empty()) attach.source.address = plan_.address;
  if (plan_.fallback) attach.source.capabilities = {"qd.fallback"};
  index_ = engine_.StartLink(session, std::move(attach));
  engine_.SetUser(index_, user);
  context.journal.Note(context.now.ns, [&] {
    return absl::StrCat("consumer ", link_.id, " of ", link_.address, " at shard ", link_.shard,
                        ", session ", session, ", window ", plan_.window,
                        link_.fallback ? ", fallback" : "", plan_.second ? ", second" : "",
                        link_.settled_mode ? ", settled" : "");
  });
  if (context.Chance(50)) GrantSome(Mood::kWild);  // before it is answered
}

// --- events

void Receiver::OnAttached(const amqp::Event& event) {
  link_.attached = true;
  if (!plan_.address.empty()) return;
  link_.address = event.attach->source.address.value_or(std::string());
  context_.journal.Note(context_.now.ns, [&] {
    return absl::StrCat("consumer ", link_.id, " is at ", link_.address);
  });
}

void Receiver::OnTransfer(const amqp::Event& event) {
  if (event.first) {
    arriving_ = true;
    presettled_ = event.settled;
    bytes_.clear();
    message_ = -1;
    if (credit_ > 0) --credit_;
    if (!event.settled) open_.push_back({.delivery = event.delivery});
  }
  bytes_.append(event.payload.view());
  unreleased_ += event.payload.size();
  if (message_ < 0) Identify();
  if (event.settled) {  // said with a later frame, too
    presettled_ = true;
    std::erase_if(open_, [&](const Open& one) { return one.delivery == event.delivery; });
  }
  if (event.more && !event.aborted) return;
  Complete(event);
}

// Which message this is, as soon as enough of it is here.
void Receiver::Identify() {
  const std::optional<size_t> bare = FindBare(bytes_);
  if (!bare.has_value()) return;
  const std::optional<uint32_t> id = FindId(std::string_view(bytes_).substr(*bare));
  if (!id.has_value()) return;
  Message* message = context_.ledger.FindMessage(*id);
  if (message == nullptr || !message->started) {
    return context_.verdict.Fail("conservation", "a message was received that nobody sent");
  }
  bare_ = *bare;
  message_ = *id;
  if (!open_.empty() && !presettled_) open_.back().message = *id;
  context_.checkers.order.OnReceived(link_, *message);
  message->receptions.push_back({.consumer = link_.id, .presettled = presettled_});
  context_.journal.Note(context_.now.ns, [&] {
    return absl::StrCat("consumer ", link_.id, " receives ", message->id);
  });
}

void Receiver::Complete(const amqp::Event& event) {
  arriving_ = false;
  Reception* reception = ReceptionOf(message_);
  if (reception != nullptr) {
    reception->complete = !event.aborted;
    reception->aborted = event.aborted;
    reception->presettled = presettled_;
  }
  const Message* message =
      message_ < 0 ? nullptr : context_.ledger.FindMessage(static_cast<uint32_t>(message_));
  context_.checkers.conservation.OnReceived(
      link_, message, {.bare = std::string_view(bytes_).substr(bare_), .complete = !event.aborted});
  const auto open = std::find_if(open_.begin(), open_.end(),
                                 [&](const Open& one) { return one.delivery == event.delivery; });
  if (open != open_.end()) {
    if (event.aborted) {
      open_.erase(open);
    } else {
      open->complete = true;
    }
  }
  bytes_.clear();
  bare_ = 0;
}

Reception* Receiver::ReceptionOf(int64_t message) {
  if (message < 0) return nullptr;
  auto& receptions = context_.ledger.FindMessage(static_cast<uint32_t>(message))->receptions;
  for (Reception& reception : receptions) {
    if (reception.consumer == link_.id) return &reception;
  }
  return nullptr;
}

void Receiver::OnFlow(const amqp::Event& event) {
  if (event.echo) engine_.Echo(index_);
  credit_ = std::min(credit_, event.credit);
  if (event.credit == 0) draining_ = false;
}

// The producer's word on what was received.
void Receiver::OnDisposition(const amqp::Event& event) {
  if (!event.settled) return;
  std::erase_if(open_, [&](const Open& one) { return one.delivery == event.delivery; });
}

void Receiver::OnDetached(const amqp::Event& event) {
  if (!detaching_) {
    link_.alive = false;
    context_.checkers.Unexpected("detach of a consumer", *event.error);
    if (!event.implied) engine_.Detach(index_, event.closed);
  }
  OnLost();
}

void Receiver::OnLost() {
  if (link_.alive) {
    context_.journal.Note(context_.now.ns,
                          [&] { return absl::StrCat("consumer ", link_.id, " gone"); });
  }
  link_.alive = false;
  over_ = true;
  open_.clear();
}

// --- acts

bool Receiver::Act(Mood mood) {
  if (detaching_ || over_) return false;
  bool acted = false;
  if (unreleased_ > 0 && (mood == Mood::kCalm || context_.Chance(plan_.read_percent))) {
    engine_.Release(index_, std::exchange(unreleased_, 0));
    acted = true;
  }
  acted |= SettleSome(mood);
  if (!draining_ && credit_ > 0 && mood == Mood::kWild && context_.Chance(plan_.drain_percent)) {
    context_.journal.Note(context_.now.ns,
                          [&] { return absl::StrCat("consumer ", link_.id, " drains"); });
    draining_ = true;
    engine_.Drain(index_);
    return true;
  }
  return GrantSome(mood) || acted;
}

bool Receiver::GrantSome(Mood mood) {
  const uint32_t window = mood == Mood::kCalm ? std::max(plan_.window, 50u) : plan_.window;
  if (draining_ || pulling_ || window == 0 || credit_ > window / 2) return false;
  if (mood == Mood::kWild && !context_.Chance(50)) return false;
  engine_.Grant(index_, window - credit_);
  credit_ = window;
  context_.journal.Note(context_.now.ns,
                        [&] { return absl::StrCat("consumer ", link_.id, " grants ", window); });
  return true;
}

bool Receiver::SettleSome(Mood mood) {
  bool acted = false;
  size_t kept = 0;
  for (size_t i = 0; i < open_.size(); ++i) {
    Open open = open_[i];
    const bool settled = open.complete && !WaitsFor(open) &&
                         (mood == Mood::kCalm || context_.Chance(plan_.settle_percent)) &&
                         SettleOne(open, mood);
    acted |= settled || open.told != open_[i].told;
    if (!settled) open_[kept++] = open;
  }
  open_.resize(kept);
  return acted;
}

// True if that settled it.
bool Receiver::SettleOne(Open& open, Mood mood) {
  const bool first = !plan_.second || mood == Mood::kCalm;
  if (open.told && !first) return false;
  OutcomeKind kind = OutcomeKind::kAccepted;
  Reception* reception = ReceptionOf(open.message);
  if (open.told && reception != nullptr) {
    kind = reception->said;
  } else if (mood == Mood::kWild && context_.Chance(plan_.refusals)) {
    constexpr OutcomeKind kOthers[] = {OutcomeKind::kRejected, OutcomeKind::kReleased,
                                       OutcomeKind::kModified};
    kind = kOthers[context_.random.Below(3)];
  }
  if (reception != nullptr) reception->said = kind;
  context_.journal.Note(context_.now.ns, [&] {
    return absl::StrCat("consumer ", link_.id, " says ", static_cast<int>(kind),
                        first ? " settled to " : " to ", open.message);
  });
  engine_.Dispose(index_, open.delivery, {.kind = kind, .raw = {}}, first);
  open.told = true;
  return first;
}

// Some consumers leave the settling of what their producer has settled early to the router.
bool Receiver::WaitsFor(const Open& open) const {
  if (open.message < 0 || open.told || link_.id % 2 == 0) return false;
  const Message& message = *context_.ledger.FindMessage(static_cast<uint32_t>(open.message));
  return message.settled_early && context_.ledger.producer(message.producer).alive;
}

bool Receiver::waits() const {
  return std::any_of(open_.begin(), open_.end(), [&](const Open& one) { return WaitsFor(one); });
}

void Receiver::Pull(uint32_t credit) {
  pulling_ = true;
  if (detaching_ || over_ || draining_) return;
  if (credit > credit_) {
    engine_.Grant(index_, credit - credit_);
    credit_ = credit;
  }
  if (credit_ == 0) return;
  draining_ = true;
  engine_.Drain(index_);
}

void Receiver::Detach(bool closed) {
  if (detaching_ || over_) return;
  detaching_ = true;
  link_.alive = false;
  engine_.Detach(index_, closed);
}

}  // namespace trunkline::sim
