#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "router/amqp/types.h"
#include "router/base/random.h"
#include "router/core/address.h"
#include "router/core/ids.h"

namespace trunkline::sim {

// One consumer's copy of a message, as the client saw it.
struct Reception {
  uint32_t consumer = 0;
  bool complete = false;
  bool aborted = false;
  bool presettled = false;
  amqp::OutcomeKind said = amqp::OutcomeKind::kNone;  // by the client
};

// A message that a producer has begun to send.
struct Message {
  uint32_t id = 0;  // its place in the ledger
  uint32_t producer = 0;
  uint32_t sequence = 0;  // of its producer
  std::string address;
  std::string bytes;
  size_t bare = 0;  // where in `bytes` that begins which may not change
  bool presettled = false;
  bool oversize = false;       // larger than the router takes
  bool settled_early = false;  // by its producer, before it was told
  bool started = false;        // part of it is on the wire
  uint64_t started_at = 0;     // by Ledger::Tick
  bool complete = false;       // all of it
  bool aborted = false;
  amqp::OutcomeKind told = amqp::OutcomeKind::kNone;  // by the router: the first terminal outcome
  bool finished = false;                              // settled by either side
  std::vector<Reception> receptions;
};

// A link of a client on which it sends.
struct ProducerLink {
  uint32_t id = 0;
  core::ShardId shard = 0;
  std::string address;    // empty: anonymous
  uint32_t capacity = 0;  // credit that the router may give
  uint32_t next_sequence = 0;
  bool alive = true;  // neither side has begun to end it
};

// A link of a client on which it receives.
struct ConsumerLink {
  uint32_t id = 0;
  std::string address;  // of one that the router makes: empty until it is attached
  core::ShardId shard = 0;
  bool fallback = false;
  bool dynamic = false;       // the router made its address
  bool settled_mode = false;  // asked for settled deliveries only
  bool attached = false;      // the router has answered
  bool alive = true;          // as above
};

// A consumer that left, as the pilot and the workers learned it.
struct Departure {
  core::AddressKey key;
  core::ShardId shard = 0;
  uint64_t version = 0;              // of the first View without it
  std::vector<uint64_t> adopted_at;  // by shard, by Ledger::Tick; 0: not yet
};

// How an address of the simulation is treated, at any time.
struct AddressKind {
  bool multicast = false;
  bool fallback = false;
};
AddressKind KindOf(const std::string& address);
// All addresses that clients of a run use, besides those that the router makes.
const std::vector<std::string>& Addresses();

// What was really sent and received, and what everybody said about it: the truth that checkers
// compare the router with. Entries are never removed within a run.
class Ledger {
 public:
  ProducerLink& AddProducer();
  ConsumerLink& AddConsumer();
  Message& AddMessage(ProducerLink& producer);

  // The next moment: who comes first, whatever the clock says.
  uint64_t Tick() { return ++ticks_; }

  void AddDeparture(core::AddressKey key, core::ShardId shard, uint64_t version);
  // `shard` goes by `version` from here on.
  void Adopted(core::ShardId shard, uint64_t version);
  // Whether what `shard` sent to consumers of `address` in other shards may have come back to it
  // after `moment`: somebody left them, and it did not know that before.
  bool MayComeBack(const std::string& address, core::ShardId shard, uint64_t moment) const;

  bool HasConsumer(const std::string& address) const;
  // To send to: one of Addresses(), at times one that the router made for a consumer.
  std::string SomeAddress(Random& random) const;
  Message* FindMessage(uint32_t id) { return id < messages_.size() ? &messages_[id] : nullptr; }
  ProducerLink& producer(uint32_t id) { return producers_[id]; }
  ConsumerLink& consumer(uint32_t id) { return consumers_[id]; }
  const ProducerLink& producer(uint32_t id) const { return producers_[id]; }
  const ConsumerLink& consumer(uint32_t id) const { return consumers_[id]; }
  const std::deque<Message>& messages() const { return messages_; }
  const std::deque<ProducerLink>& producers() const { return producers_; }
  const std::deque<ConsumerLink>& consumers() const { return consumers_; }

 private:
  std::deque<Message> messages_;
  std::deque<ProducerLink> producers_;
  std::deque<ConsumerLink> consumers_;
  std::vector<Departure> departures_;
  uint64_t ticks_ = 0;
};

// For violations: "message 12 (producer 3, number 4, to fan.0)".
std::string Describe(const Message& message);

}  // namespace trunkline::sim
