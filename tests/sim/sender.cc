#include "tests/sim/sender.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/message.h"
#include "tests/sim/network.h"

namespace trunkline::sim {
namespace {

// Bytes of a message's body: mostly few, sometimes as many as make it stream through the router.
uint32_t SomeSize(Context& context) {
  const uint32_t dice = context.Between(0, 99);
  if (dice < 10) return 0;
  if (dice < 60) return context.Between(1, 200);
  if (dice < 85) return context.Between(200, 4'000);
  if (dice < 96) return context.Between(4'000, 40'000);
  return context.Between(40'000, 300'000);
}

}  // namespace

Sender::Sender(Context& context, amqp::Engine& engine, uint16_t session, uint64_t user,
               SenderPlan plan)
    : context_(context),
      engine_(engine),
      plan_(std::move(plan)),
      link_(context.ledger.AddProducer()) {
  link_.address = plan_.address;
  link_.shard = plan_.shard;
  link_.capacity = plan_.capacity;
  amqp::Attach attach;
  attach.name = absl::StrCat("sender", link_.id);
  attach.role = amqp::Role::kSender;
  attach.snd_settle_mode = plan_.mode;
  attach.source.present = true;
  attach.target.present = true;
  if (!plan_.address.empty()) attach.target.address = plan_.address;
  attach.initial_delivery_count = context.Chance(10) ? UINT32_MAX - 2 : 0;
  index_ = engine_.StartLink(session, std::move(attach));
  engine_.SetUser(index_, user);
}

// --- events

void Sender::OnFlow(const amqp::Event& event) {
  if (event.echo) engine_.Echo(index_);
  drain_ = event.drain;
  context_.checkers.credit.OnGranted(link_, engine_.Credit(index_));
}

void Sender::OnDisposition(const amqp::Event& event) {
  Message* message = context_.ledger.FindMessage(static_cast<uint32_t>(event.delivery_user - 1));
  if (message == nullptr || message->producer != link_.id) {
    return context_.verdict.Fail("settlement", "a disposition of a delivery that was never sent");
  }
  context_.journal.Note(context_.now.ns, [&] {
    return absl::StrCat("producer ", link_.id, " told ", static_cast<int>(event.outcome->kind),
                        event.settled ? " settled of " : " of ", message->id);
  });
  context_.checkers.settlement.OnTold(*message, event.outcome->kind, event.settled);
  const auto open = std::find_if(open_.begin(), open_.end(),
                                 [&](const Open& one) { return one.message == message; });
  if (event.settled) {
    message->finished = true;
    if (open != open_.end()) open_.erase(open);
  } else if (open != open_.end() && amqp::IsTerminal(event.outcome->kind)) {
    open->to_settle = true;
  }
}

void Sender::OnDetached(const amqp::Event& event) {
  if (!detaching_) {
    link_.alive = false;
    if (!sent_oversize_) context_.checkers.Unexpected("detach of a producer", *event.error);
    if (!event.implied) engine_.Detach(index_, event.closed);
  }
  OnLost();
}

void Sender::OnLost() {
  link_.alive = false;
  over_ = true;
  current_ = nullptr;
  open_.clear();
}

// --- acts

bool Sender::Act(Mood mood) {
  if (!attached_ || detaching_ || over_) return false;
  bool acted = SettleSome(mood);
  if (current_ == nullptr) acted |= Start(mood);
  if (current_ != nullptr) acted |= Continue(mood);
  const bool answers = mood == Mood::kCalm || context_.Chance(30);
  if (drain_ && current_ == nullptr && answers) {
    drain_ = false;
    engine_.Drained(index_);
    acted = true;
  }
  return acted;
}

bool Sender::Start(Mood mood) {
  if (engine_.Credit(index_) == 0) return false;
  if (!probes_.empty()) {
    Begin(probes_.back(), true);
    probes_.pop_back();
    return true;
  }
  if (mood == Mood::kCalm || sent_ == plan_.messages || !context_.Chance(60)) return false;
  ++sent_;
  Begin(plan_.address.empty() ? context_.ledger.SomeAddress(context_.random) : plan_.address,
        false);
  return true;
}

void Sender::Begin(std::string address, bool probe) {
  Message& message = context_.ledger.AddMessage(link_);
  MessageShape shape{.id = message.id, .producer = link_.id, .sequence = message.sequence};
  const bool oversize = !probe && plan_.max_message_size > 0 && context_.Chance(plan_.oversize);
  shape.body_bytes = probe ? plan_.probe_bytes : SizeOf(oversize);
  if (plan_.address.empty()) shape.to = address;
  shape.header = context_.Chance(20);
  shape.annotations = context_.Chance(20);
  EncodedMessage encoded = Encode(shape);
  message.address = std::move(address);
  message.bytes = std::move(encoded.bytes);
  message.bare = encoded.bare;
  message.oversize = oversize;
  const bool must = plan_.mode == amqp::SenderSettleMode::kSettled;
  const bool may = plan_.mode == amqp::SenderSettleMode::kMixed;
  message.presettled = must || (may && !probe && context_.Chance(plan_.presettled));
  current_ = &message;
  payload_.Clear();
  taken_ = 0;
  streamed_ = !probe && context_.Chance(plan_.streamed);
  will_abort_ = !probe && context_.Chance(plan_.aborted);
  outgoing_ = {.user = uint64_t{message.id} + 1, .settled = message.presettled};
}

// Bytes of a body. What goes with it is small.
uint32_t Sender::SizeOf(bool oversize) {
  constexpr uint32_t kBesides = 200;
  const uint32_t size = SomeSize(context_);
  if (plan_.max_message_size == 0) return size;
  const auto limit = static_cast<uint32_t>(plan_.max_message_size);
  return oversize ? limit + size : std::min(size, limit - kBesides);
}

// Sends as much of the current delivery as its plan, credit and window let it.
bool Sender::Continue(Mood mood) {
  Message& message = *current_;
  if (streamed_ && mood == Mood::kWild && context_.Chance(50)) return false;
  const size_t left = message.bytes.size() - taken_;
  if (will_abort_ && outgoing_.started && (left == 0 || context_.Chance(30))) {
    outgoing_.aborted = true;
  } else if (left > 0) {
    size_t n = streamed_ || will_abort_ ? SomeBytes(context_.random, left) : left;
    if (will_abort_ && n == left && n > 1) n = left / 2;
    payload_.Append(Slice::Unowned(std::string_view(message.bytes).substr(taken_, n)));
    taken_ += n;
  }
  outgoing_.complete = taken_ == message.bytes.size() && !will_abort_;
  outgoing_.payload = &payload_;
  const uint64_t before = payload_.bytes();
  const bool was_started = outgoing_.started;
  const amqp::SendResult result = engine_.Send(index_, outgoing_);
  if (outgoing_.started && !was_started) {
    message.started = true;
    message.started_at = context_.ledger.Tick();
    if (!message.presettled) open_.push_back({&message, outgoing_.delivery, false});
    context_.journal.Note(context_.now.ns, [&] {
      return absl::StrCat("producer ", link_.id, " begins ", Describe(message),
                          message.presettled ? " settled" : "");
    });
  }
  if (result == amqp::SendResult::kSent) {
    Finish();
  } else {
    context_.journal.Note(context_.now.ns, [&] {
      return absl::StrCat("producer ", link_.id, " stops at ", taken_ - payload_.bytes(), " of ",
                          message.id, ", result ", static_cast<int>(result));
    });
  }
  return was_started != outgoing_.started || payload_.bytes() != before || current_ == nullptr;
}

void Sender::Finish() {
  Message& message = *std::exchange(current_, nullptr);
  message.aborted = outgoing_.aborted;
  message.complete = !message.aborted;
  sent_oversize_ |= message.complete && message.oversize;
  if (message.aborted || message.presettled) Settled(message);
}

// The producer's own settlement: of what the router left unsettled, and at times before it said
// anything.
bool Sender::SettleSome(Mood mood) {
  bool acted = false;
  for (size_t i = 0; i < open_.size();) {
    Open& open = open_[i];
    const bool early = !open.to_settle && mood == Mood::kWild && open.message != current_ &&
                       plan_.settled_early > 0 && context_.random.Below(1000) < plan_.settled_early;
    const bool wants = open.to_settle && (mood == Mood::kCalm || context_.Chance(50));
    if (!early && !wants) {
      ++i;
      continue;
    }
    amqp::Outcome outcome;
    if (open.to_settle) outcome.kind = open.message->told;
    engine_.Dispose(index_, open.delivery, outcome, true);
    open.message->settled_early = early;
    Settled(*open.message);  // removes it from `open_`
    acted = true;
  }
  return acted;
}

void Sender::Settled(Message& message) {
  message.finished = true;
  std::erase_if(open_, [&](const Open& one) { return one.message == &message; });
}

void Sender::Detach(bool closed) {
  if (detaching_ || over_) return;
  detaching_ = true;
  link_.alive = false;
  current_ = nullptr;
  engine_.Detach(index_, closed);
}

void Sender::Probe(std::string address) { probes_.push_back(std::move(address)); }

}  // namespace trunkline::sim
