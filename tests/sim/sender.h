#pragma once

#include <cstdint>
#include <optional>

#include "router/amqp/engine.h"
#include "tests/sim/context.h"

namespace trunkline::sim {

struct SenderPlan {
  std::string address;  // empty: anonymous, each message says where it goes
  core::ShardId shard = 0;
  uint32_t messages = 0;  // that it sends in all, probes not counted
  uint32_t capacity = 0;  // credit that the router may give
  amqp::SenderSettleMode mode = amqp::SenderSettleMode::kMixed;
  // Of a hundred messages.
  uint32_t presettled = 0;
  uint32_t settled_early = 0;
  uint32_t streamed = 0;  // of parts, with pauses
  uint32_t aborted = 0;
  uint32_t oversize = 0;          // where there is a limit
  uint32_t probe_bytes = 100;     // of the body of each probe
  uint64_t max_message_size = 0;  // that the router takes; 0: any
};

// A link of a client on which it sends. Owned by its Client.
class Sender {
 public:
  Sender(Context& context, amqp::Engine& engine, uint16_t session, uint64_t user, SenderPlan plan);

  // --- events of its link
  void OnAttached() { attached_ = true; }
  void OnFlow(const amqp::Event& event);
  void OnDisposition(const amqp::Event& event);
  void OnDetached(const amqp::Event& event);
  // The connection is gone.
  void OnLost();

  // Sends, settles and aborts something. True if anything was done.
  bool Act(Mood mood);
  void Detach(bool closed);
  // One more message, to `address` if the link is anonymous; sent in any mood.
  void Probe(std::string address);

  ProducerLink& link() { return link_; }
  bool attached() const { return attached_; }
  bool over() const { return over_; }
  uint32_t credit() const { return engine_.Credit(index_); }
  // Of the probes it was told to send.
  size_t probes_left() const { return probes_.size(); }
  const SenderPlan& plan() const { return plan_; }
  // All of a message that is larger than the router takes: this ends the connection.
  bool sent_oversize() const { return sent_oversize_; }

 private:
  bool Start(Mood mood);
  void Begin(std::string address, bool probe);
  uint32_t SizeOf(bool oversize);
  bool Continue(Mood mood);
  void Finish();
  bool SettleSome(Mood mood);
  void Settled(Message& message);

  Context& context_;
  amqp::Engine& engine_;
  const SenderPlan plan_;
  ProducerLink& link_;
  amqp::LinkIndex index_ = amqp::kNoLink;
  uint32_t sent_ = 0;
  bool attached_ = false;
  bool detaching_ = false;
  bool over_ = false;
  bool sent_oversize_ = false;
  bool drain_ = false;  // the router wants its credit back
  std::vector<std::string> probes_;

  // The delivery that is being sent.
  Message* current_ = nullptr;
  Payload payload_;
  amqp::Outgoing outgoing_;
  size_t taken_ = 0;  // bytes of it that are in `payload_` or on the wire
  bool streamed_ = false;
  bool will_abort_ = false;

  // Sent, and settled by nobody.
  struct Open {
    Message* message;
    uint32_t delivery;
    bool to_settle;  // the router gave an outcome without settling
  };
  std::vector<Open> open_;
};

}  // namespace trunkline::sim
