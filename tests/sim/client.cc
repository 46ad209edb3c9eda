#include "tests/sim/client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace trunkline::sim {
namespace {

// Bytes that a client encodes ahead of its wire.
constexpr size_t kOutputMax = 64 * 1024;

}  // namespace

Client::Client(Context& context, Wire& wire, ClientPlan plan)
    : context_(context), wire_(wire), plan_(plan) {
  if (plan.sasl) {
    sasl_.emplace(amqp::SaslClientOptions{
        .mechanisms = {"ANONYMOUS"}, .hostname = "router.example", .authorization = {}});
  }
  engine_ = std::make_unique<amqp::Engine>(
      amqp::EngineOptions{.initiate = true,
                          .container_id = "client",
                          .hostname = "router.example",
                          .max_frame_size = plan.max_frame_size,
                          .session_window_bytes = plan.session_window_bytes},
      context.client_pool);
  for (uint32_t i = 0; i < plan.sessions; ++i) sessions_.push_back(engine_->BeginSession());
}

uint16_t Client::AnySession() { return sessions_[context_.random.Below(sessions_.size())]; }

Sender& Client::AddSender(SenderPlan plan) {
  return senders_.emplace_back(context_, *engine_, AnySession(), 2 * senders_.size() + 2,
                               std::move(plan));
}

Receiver& Client::AddReceiver(ReceiverPlan plan) {
  return receivers_.emplace_back(context_, *engine_, AnySession(), 2 * receivers_.size() + 3,
                                 std::move(plan));
}

void Client::Close() {
  if (closing_ || over_) return;
  closing_ = true;
  LoseLinks();
  engine_->Close();
}

void Client::Vanish() {
  if (over_) return;
  over_ = true;
  LoseLinks();
}

void Client::LoseLinks() {
  for (Sender& sender : senders_) sender.OnLost();
  for (Receiver& receiver : receivers_) receiver.OnLost();
}

// --- the wire

bool Client::Step(Mood mood) {
  if (over_) return false;
  bool acted = Read(mood);
  if (over_) return true;
  if (output_.size() < kOutputMax && !closing_) {
    for (Sender& sender : senders_) acted |= sender.Act(mood);
    for (Receiver& receiver : receivers_) acted |= receiver.Act(mood);
  }
  return Write() || acted;
}

bool Client::Read(Mood mood) {
  const size_t max = mood == Mood::kCalm ? SIZE_MAX : SomeBytes(context_.random, 256 * 1024);
  const std::string_view bytes = wire_.to_client.Read(max);
  if (!bytes.empty()) {
    context_.journal.Mix(bytes.size());
    input_.append(bytes);
    if (sasl_ && sasl_->state() == amqp::SaslState::kNegotiating) {
      input_.erase(0, sasl_->Push(input_));
    }
    if (!sasl_ || sasl_->state() == amqp::SaslState::kDone) Parse();
  }
  if (wire_.to_client.at_end()) {
    if (!closing_) context_.verdict.Fail("connection", "the router hung up on a client");
    Vanish();
    wire_.to_router.End();
    return true;
  }
  return !bytes.empty();
}

void Client::Parse() {
  engine_->SetInput(Slice::Unowned(input_), context_.now);
  amqp::Event event;
  while (engine_->Next(event)) OnEvent(event);
  const uint32_t used = engine_->Consumed();
  engine_->SetInput(Slice(), context_.now);
  input_.erase(0, used);
}

bool Client::Write() {
  if (sasl_) output_ += sasl_->TakeOutput();
  if (!sasl_ || sasl_->state() == amqp::SaslState::kDone) {
    engine_->Flush(context_.now);
    while (engine_->output().bytes() > 0) {
      iovec part;
      engine_->output().Gather(&part, 1);
      output_.append(static_cast<const char*>(part.iov_base), part.iov_len);
      engine_->output().Consume(part.iov_len);
    }
  }
  const size_t n = std::min(output_.size(), wire_.to_router.room());
  if (n == 0) return false;
  wire_.to_router.Write(std::string_view(output_).substr(0, n));
  output_.erase(0, n);
  return true;
}

// --- events

Sender* Client::SenderOf(const amqp::Event& event) {
  return event.link_user != 0 && event.role == amqp::Role::kSender
             ? &senders_[(event.link_user - 2) / 2]
             : nullptr;
}

Receiver* Client::ReceiverOf(const amqp::Event& event) {
  return event.link_user != 0 && event.role == amqp::Role::kReceiver
             ? &receivers_[(event.link_user - 3) / 2]
             : nullptr;
}

void Client::OnEvent(const amqp::Event& event) {
  switch (event.kind) {
    case amqp::EventKind::kAttached:
      if (Sender* sender = SenderOf(event)) sender->OnAttached();
      if (Receiver* receiver = ReceiverOf(event)) receiver->OnAttached(event);
      return;
    case amqp::EventKind::kDetached:
      if (closing_) return;
      if (Sender* sender = SenderOf(event)) sender->OnDetached(event);
      if (Receiver* receiver = ReceiverOf(event)) receiver->OnDetached(event);
      return;
    case amqp::EventKind::kTransfer:
      if (closing_) return;
      if (Receiver* receiver = ReceiverOf(event)) receiver->OnTransfer(event);
      return;
    case amqp::EventKind::kDisposition:
      if (closing_) return;
      if (Sender* sender = SenderOf(event)) sender->OnDisposition(event);
      if (Receiver* receiver = ReceiverOf(event)) receiver->OnDisposition(event);
      return;
    case amqp::EventKind::kLinkFlow:
      if (closing_) return;
      if (Sender* sender = SenderOf(event)) sender->OnFlow(event);
      if (Receiver* receiver = ReceiverOf(event)) receiver->OnFlow(event);
      return;
    case amqp::EventKind::kEnded:
      if (!closing_) context_.checkers.Unexpected("end of a session", *event.error);
      return;
    case amqp::EventKind::kClosed:
    case amqp::EventKind::kFailed:
      return OnClosed(event);
    default:
      return;
  }
}

// Who sends what is too large has to go.
void Client::OnClosed(const amqp::Event& event) {
  const bool to_blame = std::any_of(senders_.begin(), senders_.end(),
                                    [](const Sender& sender) { return sender.sent_oversize(); });
  if (!closing_ && !to_blame) {
    context_.checkers.Unexpected("end of a connection", *event.error);
  }
  closing_ = true;
  LoseLinks();
}

}  // namespace trunkline::sim
