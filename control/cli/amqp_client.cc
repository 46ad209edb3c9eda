#include "control/cli/amqp_client.h"

#include <signal.h>

#include <chrono>
#include <cstring>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/message.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver_options.hpp>
#include <proton/sender_options.hpp>
#include <proton/source_options.hpp>
#include <proton/target_options.hpp>
#include <proton/transport.hpp>
#include <proton/work_queue.hpp>
#include <set>
#include <utility>
#include <vector>

#include "control/cli/amqp_convert.h"
#include "control/config/text.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using Clock = std::chrono::steady_clock;

// How long a peer may take to close in order.
constexpr int64_t kCloseTimeoutMs = 2'000;

int64_t MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

proton::binary TagOf(uint64_t number) {
  const std::string bytes(reinterpret_cast<const char*>(&number), sizeof(number));
  return proton::binary(bytes);
}

uint64_t NumberOf(const proton::binary& tag) {
  uint64_t number = 0;
  std::memcpy(&number, tag.data(), std::min(tag.size(), sizeof(number)));
  return number;
}

// While it lives, Ctrl-C and SIGTERM wait to be asked for.
class Interrupts {
 public:
  Interrupts() {
    sigemptyset(&wanted_);
    sigaddset(&wanted_, SIGINT);
    sigaddset(&wanted_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &wanted_, &before_);
  }
  ~Interrupts() { Restore(); }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Whether there was one. The next ends the process.
  bool Came() {
    const timespec at_once = {};
    if (sigtimedwait(&wanted_, nullptr, &at_once) < 0) return false;
    Restore();
    return true;
  }

 private:
  void Restore() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  sigset_t wanted_;
  sigset_t before_;
};

}  // namespace

// All connections of a run. Its handlers are called by the container, in the thread of Run.
class AmqpClient::Impl : public proton::messaging_handler {
 public:
  Impl(const AmqpPeer& peer, const AmqpLinks& links) : peer_(peer), links_(links) {}

  absl::Status Run(const Load& load, AmqpEvents& events);
  int Credit(size_t connection) const;
  void Send(size_t connection, uint64_t number, const AmqpMessage& message);
  void AddCredit(size_t connection, uint32_t messages);
  std::string SourceAddress(size_t connection) const;
  void Stop(absl::Status status);

  void on_container_start(proton::container& container) override;

 private:
  class Wire;

  void Tick();
  void Ended(const proton::error_condition& error);
  // Without waiting for anybody.
  void End();

  const AmqpPeer peer_;
  const AmqpLinks links_;
  Load load_;
  AmqpEvents* events_ = nullptr;
  std::vector<std::unique_ptr<Wire>> wires_;
  std::unique_ptr<Interrupts> interrupts_;
  proton::container* container_ = nullptr;  // while it runs
  Clock::time_point since_;                 // the start, then Stop
  size_t live_ = 0;                         // connections that have not ended
  bool stopping_ = false;
  bool over_ = false;
  absl::Status status_;
};

// One connection and its links.
class AmqpClient::Impl::Wire : public proton::messaging_handler {
 public:
  // Messages are accepted, and credit is given, by hand.
  Wire(Impl& client, size_t number) : client_(client), number_(number) {}

  bool ready() const { return ready_; }
  int Credit() const { return sender_ ? sender_.credit() : 0; }
  void Send(uint64_t number, const AmqpMessage& message) {
    if (!client_.links_.presettled) waiting_.insert(number);
    sender_.send(ToProton(message), TagOf(number));
  }
  void AddCredit(uint32_t messages) { receiver_.add_credit(messages); }
  const std::string& source_address() const { return source_address_; }
  // From outside of its own handlers. False: it has never been open.
  bool Close() {
    if (!connection_) return false;
    connection_.work_queue().add([this] { connection_.close(); });
    return true;
  }
  void Tick() {
    connection_.work_queue().add([this] {
      if (!client_.stopping_) client_.events_->OnTick(number_);
    });
  }

  void on_connection_open(proton::connection& connection) override;
  void on_receiver_open(proton::receiver& receiver) override;
  void on_sender_open(proton::sender&) override {
    is_sender_open_ = true;
    Opened();
  }
  void on_sendable(proton::sender&) override {
    if (ready_ && !client_.stopping_) client_.events_->OnCredit(number_);
  }
  void on_message(proton::delivery& delivery, proton::message& message) override;
  void on_tracker_accept(proton::tracker& tracker) override { Outcome(tracker); }
  void on_tracker_reject(proton::tracker& tracker) override { Outcome(tracker); }
  void on_tracker_release(proton::tracker& tracker) override { Outcome(tracker); }
  void on_tracker_settle(proton::tracker& tracker) override { Outcome(tracker); }

  void on_sender_error(proton::sender& link) override { Detached(link, To()); }
  void on_sender_close(proton::sender& link) override { Detached(link, To()); }
  void on_sender_detach(proton::sender& link) override { Detached(link, To()); }
  void on_receiver_error(proton::receiver& link) override { Detached(link, From()); }
  void on_receiver_close(proton::receiver& link) override { Detached(link, From()); }
  void on_receiver_detach(proton::receiver& link) override { Detached(link, From()); }
  void on_session_error(proton::session& session) override {
    client_.Stop(
        StatusOf(session.error(), "the session was ended", absl::StatusCode::kFailedPrecondition));
  }
  void on_connection_error(proton::connection& connection) override {
    client_.Stop(StatusOf(connection.error(), UrlOf(client_.peer_) + " closed the connection",
                          absl::StatusCode::kUnavailable));
  }
  // What there is to say is said by on_transport_close, which follows.
  void on_transport_error(proton::transport&) override {}
  void on_transport_close(proton::transport& transport) override {
    ready_ = false;
    client_.Ended(transport.error());
  }

 private:
  void OpenSender(const std::string& address);
  void Opened();
  void Outcome(proton::tracker& tracker);
  // `which` of the links: " to orders".
  void Detached(const proton::link& link, const std::string& which);
  std::string To() const {
    const std::string& address = client_.links_.target_address;
    return address.empty() ? "" : " to " + address;
  }
  std::string From() const {
    const std::string& address = client_.links_.source_address;
    return address.empty() ? "" : " from " + address;
  }

  Impl& client_;
  const size_t number_;
  proton::connection connection_;
  proton::sender sender_;
  proton::receiver receiver_;
  std::string source_address_;
  bool is_sender_open_ = false, is_receiver_open_ = false;
  bool ready_ = false;
  std::set<uint64_t> waiting_;  // numbers of those that have no outcome yet
};

void AmqpClient::Impl::Wire::on_connection_open(proton::connection& connection) {
  connection_ = connection;
  const AmqpLinks& links = client_.links_;
  if (links.source != AmqpLinks::Source::kNone) {
    proton::source_options source;
    const bool is_temporary = links.source == AmqpLinks::Source::kTemporary;
    if (is_temporary) source.dynamic(true);
    receiver_ = connection_.open_receiver(
        is_temporary ? "" : links.source_address,
        proton::receiver_options().source(source).auto_accept(false).credit_window(0));
  }
  const bool waits = links.target == AmqpLinks::Target::kOwnSource;
  if (links.target != AmqpLinks::Target::kNone && !waits) OpenSender(links.target_address);
}

void AmqpClient::Impl::Wire::OpenSender(const std::string& address) {
  const AmqpLinks& links = client_.links_;
  proton::target_options target;
  if (links.target == AmqpLinks::Target::kAnyone) target.anonymous(true);
  proton::sender_options options;
  options.target(target).delivery_mode(links.presettled ? proton::delivery_mode::AT_MOST_ONCE
                                                        : proton::delivery_mode::AT_LEAST_ONCE);
  sender_ = connection_.open_sender(address, options);
}

void AmqpClient::Impl::Wire::on_receiver_open(proton::receiver& receiver) {
  is_receiver_open_ = true;
  source_address_ = receiver.source().address();
  const bool is_sender_next =
      client_.links_.target == AmqpLinks::Target::kOwnSource && !source_address_.empty();
  if (is_sender_next) OpenSender(source_address_);
  Opened();
}

void AmqpClient::Impl::Wire::Opened() {
  // Both may have come in one read; each is told of in turn.
  const bool has_all = (client_.links_.source == AmqpLinks::Source::kNone || is_receiver_open_) &&
                       (client_.links_.target == AmqpLinks::Target::kNone || is_sender_open_);
  if (!has_all || ready_ || client_.stopping_) return;
  ready_ = true;
  client_.events_->OnReady(number_);
}

void AmqpClient::Impl::Wire::on_message(proton::delivery& delivery, proton::message& message) {
  if (client_.stopping_) return delivery.release();
  const auto answer = client_.events_->OnMessage(number_, FromProton(message));
  if (answer == AmqpEvents::Answer::kRelease) return delivery.release();
  delivery.accept();
}

void AmqpClient::Impl::Wire::Outcome(proton::tracker& tracker) {
  // It may be told twice: by its state, and settled.
  if (tracker.tag().size() != sizeof(uint64_t)) return;
  const uint64_t number = NumberOf(tracker.tag());
  if (waiting_.erase(number) == 0) return;
  client_.events_->OnOutcome(number_, number, OutcomeOf(tracker));
}

void AmqpClient::Impl::Wire::Detached(const proton::link& link, const std::string& which) {
  client_.Stop(StatusOf(link.error(), Concat("the link", which, " was refused or ended"),
                        absl::StatusCode::kFailedPrecondition));
}

absl::Status AmqpClient::Impl::Run(const Load& load, AmqpEvents& events) {
  load_ = load;
  events_ = &events;
  interrupts_ = std::make_unique<Interrupts>();
  try {
    // Files that are no certificates are said before anything is dialled.
    OptionsOf(peer_);
    proton::container container(*this);
    container_ = &container;
    container.run();
  } catch (const std::exception& error) {
    // The container is gone; nothing is left to be closed.
    if (!stopping_) {
      status_ = absl::FailedPreconditionError(Concat(UrlOf(peer_), ": ", error.what()));
    }
    stopping_ = over_ = true;
  }
  container_ = nullptr;
  interrupts_.reset();
  return status_;
}

void AmqpClient::Impl::on_container_start(proton::container& container) {
  since_ = Clock::now();
  live_ = load_.connections;
  for (size_t i = 0; i < load_.connections; ++i) {
    wires_.push_back(std::make_unique<Wire>(*this, i));
    container.connect(UrlOf(peer_), OptionsOf(peer_).handler(*wires_.back()));
  }
  Tick();
}

void AmqpClient::Impl::Tick() {
  if (over_) return;
  if (!stopping_ && interrupts_->Came()) events_->OnInterrupt();
  const int64_t passed = MillisecondsSince(since_);
  size_t ready = 0;
  for (const auto& wire : wires_) {
    if (!wire->ready()) continue;
    ++ready;
    if (!stopping_) wire->Tick();
  }
  if (!stopping_ && ready < wires_.size() && passed > peer_.open_timeout_ms) {
    Stop(absl::DeadlineExceededError(
        Concat("no answer from ", UrlOf(peer_), " within the time that it may take (--timeout)")));
    return End();
  }
  if (stopping_ && passed > kCloseTimeoutMs) return End();
  container_->schedule(proton::duration(static_cast<uint64_t>(load_.tick_ms)), [this] { Tick(); });
}

void AmqpClient::Impl::Stop(absl::Status status) {
  if (stopping_) return;
  stopping_ = true;
  status_ = std::move(status);
  since_ = Clock::now();
  for (const auto& wire : wires_) {
    if (!wire->Close()) return End();
  }
}

void AmqpClient::Impl::Ended(const proton::error_condition& error) {
  if (!stopping_) Stop(WhyEnded(peer_, error));
  if (--live_ == 0) End();
}

void AmqpClient::Impl::End() {
  if (over_ || container_ == nullptr) return;
  over_ = true;
  container_->stop();
}

int AmqpClient::Impl::Credit(size_t connection) const { return wires_[connection]->Credit(); }
void AmqpClient::Impl::Send(size_t connection, uint64_t number, const AmqpMessage& message) {
  wires_[connection]->Send(number, message);
}
void AmqpClient::Impl::AddCredit(size_t connection, uint32_t messages) {
  wires_[connection]->AddCredit(messages);
}
std::string AmqpClient::Impl::SourceAddress(size_t connection) const {
  return wires_[connection]->source_address();
}

AmqpClient::AmqpClient(const AmqpPeer& peer, const AmqpLinks& links)
    : impl_(std::make_unique<Impl>(peer, links)) {}
AmqpClient::~AmqpClient() = default;

absl::Status AmqpClient::Run(const Load& load, AmqpEvents& events) {
  return impl_->Run(load, events);
}
int AmqpClient::Credit(size_t connection) const { return impl_->Credit(connection); }
void AmqpClient::Send(size_t connection, uint64_t number, const AmqpMessage& message) {
  impl_->Send(connection, number, message);
}
void AmqpClient::AddCredit(size_t connection, uint32_t messages) {
  impl_->AddCredit(connection, messages);
}
std::string AmqpClient::SourceAddress(size_t connection) const {
  return impl_->SourceAddress(connection);
}
void AmqpClient::Stop(absl::Status status) { impl_->Stop(std::move(status)); }

}  // namespace trunkline::cli
