#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "router/amqp/engine.h"
#include "tests/sim/context.h"

namespace trunkline::sim {

struct ReceiverPlan {
  std::string address;  // empty: the router makes one
  core::ShardId shard = 0;
  bool fallback = false;
  uint32_t window = 10;          // credit it keeps up; 0: gives none while it is wild
  uint32_t settle_percent = 50;  // chance of each delivery to be settled, per act
  uint32_t read_percent = 100;   // chance of what was read to be released to the session, per act
  uint32_t drain_percent = 0;    // chance to ask for its credit back, per act
  bool settled_mode = false;     // wants settled deliveries only
  bool second = false;           // settles after the producer has
  uint32_t refusals = 20;        // outcomes other than accepted, of a hundred
};

// A link of a client on which it receives. Owned by its Client.
class Receiver {
 public:
  Receiver(Context& context, amqp::Engine& engine, uint16_t session, uint64_t user,
           ReceiverPlan plan);

  // --- events of its link
  void OnAttached(const amqp::Event& event);
  void OnTransfer(const amqp::Event& event);
  void OnFlow(const amqp::Event& event);
  void OnDisposition(const amqp::Event& event);
  void OnDetached(const amqp::Event& event);
  // The connection is gone.
  void OnLost();

  // Grants, settles, drains something. True if anything was done.
  bool Act(Mood mood);
  void Detach(bool closed);
  // Asks for so many deliveries, or those that are there, and grants nothing until Resume.
  void Pull(uint32_t credit);
  void Resume() { pulling_ = false; }

  ConsumerLink& link() { return link_; }
  bool attached() const { return link_.attached; }
  bool over() const { return over_; }
  // It asked for its credit and has neither got all of it used nor back.
  bool draining() const { return draining_; }
  // It has deliveries that it waits to be told of, as their producers have settled them.
  bool waits() const;

 private:
  struct Open {
    uint32_t delivery = 0;
    int64_t message = -1;  // id
    bool complete = false;
    bool told = false;  // the outcome, not settled
  };

  void Identify();
  void Complete(const amqp::Event& event);
  Reception* ReceptionOf(int64_t message);
  bool WaitsFor(const Open& open) const;
  bool SettleSome(Mood mood);
  bool SettleOne(Open& open, Mood mood);
  bool GrantSome(Mood mood);

  Context& context_;
  amqp::Engine& engine_;
  const ReceiverPlan plan_;
  ConsumerLink& link_;
  amqp::LinkIndex index_ = amqp::kNoLink;
  uint32_t credit_ = 0;  // granted, not used
  uint64_t unreleased_ = 0;
  bool detaching_ = false;
  bool over_ = false;
  bool draining_ = false;
  bool pulling_ = false;

  // The delivery that is arriving.
  bool arriving_ = false;
  bool presettled_ = false;
  std::string bytes_;
  int64_t message_ = -1;  // once it is known
  size_t bare_ = 0;

  std::vector<Open> open_;  // received, not settled
};

}  // namespace trunkline::sim
