// A connection of Proton C++ for a program that waits: the library's callbacks run on its own
// threads and write down what happens, the program's thread waits until a condition holds.

#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/message.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver.hpp>
#include <proton/receiver_options.hpp>
#include <proton/sender.hpp>
#include <proton/sender_options.hpp>
#include <proton/tracker.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace interop {

// The words of the command line: `--name value`.
using Options = std::map<std::string, std::string>;

// What a behaviour throws when something is not as it must.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void Check(bool holds, const std::string& what);

// A receiving link: what came, in order.
struct Incoming {
  proton::receiver link;
  std::vector<proton::message> messages;
  int settled = 0;                // pre-settled by the sender
  std::string answer = "accept";  // or reject, release, modify
  bool opened = false;
  bool drained = false;
  std::string error;  // of the detach
};

// A sending link: what became of the messages, in the order it was told.
struct Outgoing {
  proton::sender link;
  std::vector<std::string> outcomes;
  int credit = 0;
  bool opened = false;
  std::string error;
};

// Owned by the program; outlives the container's threads, which End joins. Everything below is
// guarded by one mutex: links are touched on the connection's own thread only, through Do.
class Peer : public proton::messaging_handler {
 public:
  explicit Peer(const Options& options) : options_(options) {}
  ~Peer() override;

  // Dials and waits for the open; with `wait` false until open or failure.
  void Dial(proton::connection_options more = {}, bool wait = true);

  Incoming& Receive(const std::string& address, proton::receiver_options more, bool wait = true);
  Incoming& Receive(const std::string& address) {
    return Receive(address, proton::receiver_options().credit_window(100));
  }
  Outgoing& Send(const std::string& address, proton::sender_options more = {}, bool wait = true);

  // Sends each message as soon as there is credit.
  void SendAll(Outgoing& to, const std::vector<proton::message>& messages);

  // Runs on the connection's thread, and waits until it has.
  void Do(const std::function<void()>& work);

  // Waits until the condition holds; it is asked with the lock held.
  void Wait(const std::function<bool()>& condition, const std::string& what);

  // Closes politely and joins the threads.
  void End();

  bool opened() const { return opens_ > 0; }
  int opens() const { return opens_; }
  bool offers_relay() const { return offers_relay_; }
  // What the peer or the transport said at the end; empty while open.
  const std::string& closed() const { return closed_; }

 private:
  void on_connection_open(proton::connection& connection) override;
  void on_connection_error(proton::connection& connection) override;
  void on_transport_error(proton::transport& transport) override;
  void on_transport_close(proton::transport& transport) override;
  void on_receiver_open(proton::receiver& receiver) override;
  void on_receiver_error(proton::receiver& receiver) override;
  void on_receiver_drain_finish(proton::receiver& receiver) override;
  void on_sender_open(proton::sender& sender) override;
  void on_sender_error(proton::sender& sender) override;
  void on_sendable(proton::sender& sender) override;
  void on_message(proton::delivery& delivery, proton::message& message) override;
  void on_tracker_accept(proton::tracker& tracker) override;
  void on_tracker_reject(proton::tracker& tracker) override;
  void on_tracker_release(proton::tracker& tracker) override;

  void Note(const std::function<void()>& change);
  void Outcome(proton::tracker& tracker, const std::string& outcome);
  Incoming* Find(const proton::receiver& receiver);
  Outgoing* Find(const proton::sender& sender);
  proton::connection_options Settings(proton::connection_options options) const;

  const Options& options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<proton::container> container_;
  std::thread thread_;
  proton::connection connection_;
  std::vector<std::unique_ptr<Incoming>> incoming_;
  std::vector<std::unique_ptr<Outgoing>> outgoing_;
  int opens_ = 0;
  bool offers_relay_ = false;
  bool ended_ = false;
  std::string closed_;
};

}  // namespace interop
