#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "router/amqp/engine.h"
#include "router/amqp/sasl.h"
#include "tests/sim/context.h"
#include "tests/sim/network.h"
#include "tests/sim/receiver.h"
#include "tests/sim/sender.h"

namespace trunkline::sim {

struct ClientPlan {
  bool sasl = false;
  uint32_t max_frame_size = 16384;
  uint32_t session_window_bytes = 1u << 20;
  uint32_t sessions = 1;
  uint32_t link_capacity = 250;   // as the router was told for this connection
  uint64_t max_message_size = 0;  // likewise; 0: no limit
  core::ShardId shard = 0;        // that serves it
};

// A client: one connection with sessions and links, each link with habits of its own. Made of the
// production engine; what it does is drawn at random.
class Client {
 public:
  Client(Context& context, Wire& wire, ClientPlan plan);

  // Reads, acts, writes. True if anything happened.
  bool Step(Mood mood);

  // --- what it is told to do
  Sender& AddSender(SenderPlan plan);
  Receiver& AddReceiver(ReceiverPlan plan);
  void Close();
  // The wire was cut.
  void Vanish();

  const ClientPlan& plan() const { return plan_; }
  bool over() const { return over_; }
  bool closing() const { return closing_; }
  std::deque<Sender>& senders() { return senders_; }
  std::deque<Receiver>& receivers() { return receivers_; }

 private:
  bool Read(Mood mood);
  bool Write();
  void Parse();
  void OnEvent(const amqp::Event& event);
  void OnClosed(const amqp::Event& event);
  void LoseLinks();
  uint16_t AnySession();
  Sender* SenderOf(const amqp::Event& event);
  Receiver* ReceiverOf(const amqp::Event& event);

  Context& context_;
  Wire& wire_;
  const ClientPlan plan_;
  std::optional<amqp::SaslClient> sasl_;
  std::unique_ptr<amqp::Engine> engine_;
  std::vector<uint16_t> sessions_;
  std::string input_;
  std::string output_;              // not written to the wire yet
  std::deque<Sender> senders_;      // user of its link: place, times two, plus two
  std::deque<Receiver> receivers_;  // likewise, plus three
  bool closing_ = false;
  bool over_ = false;
};

}  // namespace trunkline::sim
