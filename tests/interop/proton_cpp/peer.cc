#include "peer.h"

#include <chrono>
#include <fstream>
#include <iterator>
#include <proton/error_condition.hpp>
#include <proton/reconnect_options.hpp>
#include <proton/ssl.hpp>
#include <proton/symbol.hpp>
#include <proton/transport.hpp>
#include <proton/work_queue.hpp>
#include <thread>
#include <utility>

namespace interop {
namespace {

constexpr std::chrono::seconds kPatience(110);

std::string Word(const Options& options, const std::string& name) {
  auto found = options.find(name);
  return found == options.end() ? std::string() : found->second;
}

std::string Content(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

void Check(bool holds, const std::string& what) {
  if (!holds) throw Failure(what);
}

Peer::~Peer() { End(); }

proton::connection_options Peer::Settings(proton::connection_options options) const {
  const std::string ca = Word(options_, "ca");
  const std::string certificate = Word(options_, "cert");
  if (!certificate.empty()) {
    proton::ssl_certificate own(certificate, Word(options_, "key"));
    options.ssl_client_options(proton::ssl_client_options(own, ca, proton::ssl::VERIFY_PEER_NAME));
  } else if (!ca.empty()) {
    options.ssl_client_options(proton::ssl_client_options(ca, proton::ssl::VERIFY_PEER_NAME));
  }
  const std::string mechanism = Word(options_, "mechanism");
  if (!mechanism.empty()) {
    options.sasl_enabled(true).sasl_allow_insecure_mechs(true).sasl_allowed_mechs(mechanism);
  }
  if (options_.contains("user")) {
    options.user(Word(options_, "user")).password(Content(Word(options_, "password-file")));
  }
  return options;
}

void Peer::Dial(proton::connection_options more, bool wait) {
  container_ = std::make_unique<proton::container>(*this);
  container_->auto_stop(false);
  thread_ = std::thread([this] { container_->run(); });
  container_->connect(Word(options_, "url"), Settings(std::move(more)));
  Wait([&] { return opens_ > 0 || !closed_.empty(); }, "the open");
  if (wait) Check(opens_ > 0, closed_);
}

Incoming& Peer::Receive(const std::string& address, proton::receiver_options more, bool wait) {
  auto made = std::make_unique<Incoming>();
  Incoming* incoming = made.get();
  more.auto_accept(false);
  Do([&] {
    std::lock_guard lock(mutex_);
    incoming->link = connection_.open_receiver(address, more);
    incoming_.push_back(std::move(made));
  });
  if (wait) {
    Wait([&] { return incoming->opened || !incoming->error.empty(); }, "the attach of a receiver");
  }
  return *incoming;
}

Outgoing& Peer::Send(const std::string& address, proton::sender_options more, bool wait) {
  auto made = std::make_unique<Outgoing>();
  Outgoing* outgoing = made.get();
  Do([&] {
    std::lock_guard lock(mutex_);
    outgoing->link = connection_.open_sender(address, more);
    outgoing_.push_back(std::move(made));
  });
  if (wait) {
    Wait([&] { return outgoing->opened || !outgoing->error.empty(); }, "the attach of a sender");
  }
  return *outgoing;
}

void Peer::SendAll(Outgoing& to, const std::vector<proton::message>& messages) {
  size_t sent = 0;
  while (sent < messages.size()) {
    Wait([&] { return to.credit > 0 || !to.error.empty() || ended_; }, "credit");
    Check(to.error.empty() && !ended_, "ended: " + to.error + closed_);
    Do([&] {
      while (sent < messages.size() && to.link.credit() > 0) to.link.send(messages[sent++]);
      std::lock_guard lock(mutex_);
      to.credit = to.link.credit();
    });
  }
}

void Peer::Do(const std::function<void()>& work) {
  bool done = false;
  const bool queued = connection_.work_queue().add([&] {
    work();
    Note([&] { done = true; });
  });
  Check(queued, "the connection has ended: " + closed_);
  Wait([&] { return done; }, "the connection's thread");
}

void Peer::Wait(const std::function<bool()>& condition, const std::string& what) {
  std::unique_lock lock(mutex_);
  Check(changed_.wait_for(lock, kPatience, condition), "waited in vain for: " + what);
}

void Peer::Note(const std::function<void()>& change) {
  std::lock_guard lock(mutex_);
  change();
  changed_.notify_all();
}

void Peer::End() {
  if (!thread_.joinable()) return;
  if (opens_ > 0 && !ended_) {
    connection_.work_queue().add([this] { connection_.close(); });
    Wait([&] { return ended_; }, "the end");
  }
  container_->stop();
  thread_.join();
}

void Peer::on_connection_open(proton::connection& connection) {
  bool relay = false;
  for (const proton::symbol& offered : connection.offered_capabilities()) {
    relay = relay || offered == "ANONYMOUS-RELAY";
  }
  Note([&] {
    connection_ = connection;
    offers_relay_ = relay;
    ++opens_;
  });
}

void Peer::on_connection_error(proton::connection& connection) {
  Note([&] { closed_ += connection.error().what() + "; "; });
}

void Peer::on_transport_error(proton::transport& transport) {
  Note([&] { closed_ += transport.error().what() + "; "; });
}

void Peer::on_transport_close(proton::transport&) {
  Note([&] {
    ended_ = true;
    closed_ += "closed";
  });
}

Incoming* Peer::Find(const proton::receiver& receiver) {
  for (auto& incoming : incoming_) {
    if (incoming->link == receiver) return incoming.get();
  }
  return nullptr;
}

Outgoing* Peer::Find(const proton::sender& sender) {
  for (auto& outgoing : outgoing_) {
    if (outgoing->link == sender) return outgoing.get();
  }
  return nullptr;
}

void Peer::on_receiver_open(proton::receiver& receiver) {
  Note([&] { Find(receiver)->opened = true; });
}

void Peer::on_receiver_error(proton::receiver& receiver) {
  Note([&] { Find(receiver)->error = receiver.error().what(); });
}

void Peer::on_receiver_drain_finish(proton::receiver& receiver) {
  Note([&] { Find(receiver)->drained = true; });
}

void Peer::on_sender_open(proton::sender& sender) {
  Note([&] { Find(sender)->opened = true; });
}

void Peer::on_sender_error(proton::sender& sender) {
  Note([&] { Find(sender)->error = sender.error().what(); });
}

void Peer::on_sendable(proton::sender& sender) {
  Note([&] {
    if (Outgoing* outgoing = Find(sender)) outgoing->credit = sender.credit();
  });
}

void Peer::on_message(proton::delivery& delivery, proton::message& message) {
  std::string answer;
  Note([&] {
    Incoming* incoming = Find(delivery.receiver());
    incoming->messages.push_back(message);
    incoming->settled += delivery.settled() ? 1 : 0;
    answer = delivery.settled() ? "" : incoming->answer;
  });
  if (answer == "accept") delivery.accept();
  if (answer == "reject") delivery.reject();
  if (answer == "release") delivery.release();
  if (answer == "modify") delivery.modify();
}

void Peer::Outcome(proton::tracker& tracker, const std::string& outcome) {
  Note([&] { Find(tracker.sender())->outcomes.push_back(outcome); });
}

// The library tells releases and modifications by one callback, and rejections without a reason.
void Peer::on_tracker_accept(proton::tracker& tracker) { Outcome(tracker, "accept"); }
void Peer::on_tracker_reject(proton::tracker& tracker) { Outcome(tracker, "reject"); }
void Peer::on_tracker_release(proton::tracker& tracker) {
  Outcome(tracker, tracker.state() == proton::transfer::MODIFIED ? "modify" : "release");
}

}  // namespace interop
