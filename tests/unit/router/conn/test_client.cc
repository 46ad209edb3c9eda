#include "test_client.h"

#include <array>
#include <utility>

namespace trunkline::conn::test {

Client::Client(BlockPool& pool, ClientOptions options) : pool_(pool), options_(options) {
  if (options.tls) tls_ = tls::TlsStage::Client(options.tls, options.tls_client);
  if (options.sasl) {
    sasl_.emplace(amqp::SaslClientOptions{
        .mechanisms = options.mechanisms, .hostname = "router.example", .authorization = {}});
  }
  engine_ =
      std::make_unique<amqp::Engine>(amqp::EngineOptions{.initiate = true,
                                                         .container_id = "client",
                                                         .hostname = "router.example",
                                                         .max_frame_size = options.max_frame_size,
                                                         .idle_timeout = options.idle_timeout},
                                     pool_);
}

// --- wire

void Client::Push(std::string_view bytes, Time now) {
  if (!tls_) return PushPlain(bytes, now);
  std::array<uint8_t, 20000> plain;
  absl::Span<const uint8_t> in(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  while (true) {
    const tls::TlsStage::Step step = tls_->Read(in, absl::MakeSpan(plain));
    in.remove_prefix(step.consumed);
    if (step.produced > 0) {
      PushPlain({reinterpret_cast<const char*>(plain.data()), step.produced}, now);
    }
    if (in.empty() && step.produced == 0) return;
    if (step.consumed == 0 && step.produced == 0) return;
  }
}

void Client::PushPlain(std::string_view bytes, Time now) {
  input_.append(bytes);
  if (sasl_ && sasl_->state() == amqp::SaslState::kNegotiating) {
    size_t used = 0;
    do {
      used = sasl_->Push(input_);
      input_.erase(0, used);
      LogIn();
    } while (used > 0 && sasl_->state() == amqp::SaslState::kNegotiating);
  }
  if (!sasl_ || sasl_->state() == amqp::SaslState::kDone) PushFrames(now);
}

// The steps of a mechanism with a password, at once.
void Client::LogIn() {
  amqp::SaslStep step;
  if (!sasl_->Next(step)) return;
  if (step.first) {
    login_ = sasl::Session::Client({.mechanism = step.mechanism,
                                    .host = "router.example",
                                    .user = options_.user,
                                    .password = Secret(options_.password)});
  }
  const sasl::Answer answer = step.last ? login_->Finish(step.bytes) : login_->Step(step.bytes);
  if (answer.verdict == sasl::Verdict::kOk) return sasl_->Finish();
  if (answer.verdict == sasl::Verdict::kContinue) return sasl_->Reply(answer.bytes);
  sasl_->Fail("the server is not trusted");
}

void Client::PushFrames(Time now) {
  engine_->SetInput(Slice::Unowned(input_), now);
  amqp::Event event;
  while (engine_->Next(event)) OnEvent(event);
  const uint32_t used = engine_->Consumed();
  engine_->SetInput(Slice(), now);
  input_.erase(0, used);
}

std::string Client::PullPlain(Time now) {
  std::string out;
  if (sasl_) out = sasl_->TakeOutput();
  if (!options_.speaks_amqp || (sasl_ && sasl_->state() != amqp::SaslState::kDone)) return out;
  SendQueued();
  engine_->Flush(now);
  while (engine_->output().bytes() > 0) {
    iovec part;
    engine_->output().Gather(&part, 1);
    out.append(static_cast<const char*>(part.iov_base), part.iov_len);
    engine_->output().Consume(part.iov_len);
  }
  sent_.clear();
  return out;
}

std::string Client::Pull(Time now) {
  if (!tls_) return PullPlain(now);
  output_ += PullPlain(now);
  std::string out;
  std::array<uint8_t, 20000> record;
  while (true) {
    const absl::Span<const uint8_t> in(reinterpret_cast<const uint8_t*>(output_.data()),
                                       output_.size());
    const tls::TlsStage::Step step = tls_->Write(in, absl::MakeSpan(record));
    output_.erase(0, step.consumed);
    out.append(reinterpret_cast<const char*>(record.data()), step.produced);
    if (step.consumed == 0 && step.produced == 0) return out;
  }
}

void Client::Tick(Time now) { engine_->Tick(now); }

// --- what a test does

amqp::Attach Client::SenderAttach(std::optional<std::string> address) {
  amqp::Attach attach;
  attach.role = amqp::Role::kSender;
  attach.source.present = true;
  attach.target.present = true;
  attach.target.address = std::move(address);
  attach.initial_delivery_count = 0;
  return attach;
}

amqp::Attach Client::ReceiverAttach(std::optional<std::string> address) {
  amqp::Attach attach;
  attach.role = amqp::Role::kReceiver;
  attach.target.present = true;
  attach.source.present = true;
  attach.source.address = std::move(address);
  return attach;
}

amqp::LinkIndex Client::Receiver(std::optional<std::string> address, uint32_t credit) {
  const amqp::LinkIndex index = Start(ReceiverAttach(std::move(address)));
  engine_->Grant(index, credit);
  return index;
}

amqp::LinkIndex Client::Start(amqp::Attach attach) {
  if (!session_) session_ = engine_->BeginSession();
  if (attach.name.empty()) attach.name = "link" + std::to_string(links_.size());
  const amqp::LinkIndex index = engine_->StartLink(*session_, std::move(attach));
  links_[index] = {};
  return index;
}

void Client::Send(amqp::LinkIndex link, std::string bytes, bool settled) {
  Queued& queued = queued_.emplace_back();
  queued.link = link;
  queued.bytes = std::move(bytes);
  queued.payload.Append(Slice::Unowned(queued.bytes));
  queued.outgoing = {.user = next_user_++, .settled = settled, .complete = true};
}

// In order over all links; stops at the first that cannot go on.
void Client::SendQueued() {
  while (!queued_.empty()) {
    Queued& front = queued_.front();
    if (!links_[front.link].attached) return;
    front.outgoing.payload = &front.payload;
    if (engine_->Send(front.link, front.outgoing) != amqp::SendResult::kSent) return;
    sent_.push_back(std::move(front.bytes));
    queued_.pop_front();
  }
}

// --- what it saw

void Client::OnEvent(const amqp::Event& event) {
  switch (event.kind) {
    case amqp::EventKind::kOpened:
      opened_ = true;
      return;
    case amqp::EventKind::kAttached:
      links_[event.link].attached = true;
      links_[event.link].attach = *event.attach;
      return;
    case amqp::EventKind::kDetached: {
      ClientLink& link = links_[event.link];
      link.detached = true;
      link.closed = event.closed;
      if (event.error != nullptr) link.error = *event.error;
      if (!event.implied) engine_->Detach(event.link, event.closed);
      return;
    }
    case amqp::EventKind::kTransfer:
      return OnTransfer(event);
    case amqp::EventKind::kDisposition:
      links_[event.link].outcomes.push_back(
          {event.delivery_user, event.outcome->kind, event.outcome->raw, event.settled});
      if (!event.settled && event.role == amqp::Role::kSender) {
        engine_->Dispose(event.link, event.delivery, *event.outcome, true);
      }
      return;
    case amqp::EventKind::kLinkFlow:
      links_[event.link].credit = event.credit;
      links_[event.link].drain = event.drain;
      if (event.echo) engine_->Echo(event.link);
      return;
    case amqp::EventKind::kClosed:
      closed_ = true;
      close_error_ = *event.error;
      return;
    case amqp::EventKind::kFailed:
      failure_ = *event.error;
      return;
    default:
      return;
  }
}

void Client::OnTransfer(const amqp::Event& event) {
  ClientLink& link = links_[event.link];
  if (event.first) {
    link.received.push_back({.delivery = event.delivery,
                             .format = event.message_format,
                             .tag = std::string(event.tag),
                             .settled = event.settled});
  }
  Received& received = link.received.back();
  received.bytes.append(event.payload.view());
  received.complete = !event.more && !event.aborted;
  received.aborted = event.aborted;
  engine_->Release(event.link, event.payload.size());
  if (!received.complete) return;
  if (!event.settled && link.accepts) {
    engine_->Dispose(event.link, event.delivery, {.kind = amqp::OutcomeKind::kAccepted, .raw = {}},
                     true);
  }
}

}  // namespace trunkline::conn::test
