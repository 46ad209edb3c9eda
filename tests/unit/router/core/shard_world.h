#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "router/core/shard.h"

// A small world around some Shards: connections that record what is asked of them, a pilot, and
// mail that arrives at once unless it is held back.
namespace trunkline::core {

// What a producer was told.
struct Told {
  uint32_t delivery = 0;
  amqp::OutcomeKind kind = amqp::OutcomeKind::kNone;
  bool settled = false;
  std::string raw;
};

// One delivery as a consumer got it.
struct Got {
  uint64_t user = 0;
  uint32_t delivery = 0;
  uint32_t format = 0;
  std::string bytes;
  bool settled = false;
  bool complete = false;
  bool aborted = false;
  std::vector<Told> from_producer;  // SettleOut
};

// What happened on one link of a connection.
struct LinkRecord {
  int answers = 0;
  AttachAnswer answer;
  std::vector<amqp::Condition> detached;
  // incoming
  uint32_t credit = 0;   // that the producer has
  uint64_t granted = 0;  // in all
  int drains = 0;
  bool taken = false;  // the credit, which is to be given back
  uint64_t released = 0;
  std::vector<Told> told;
  // outgoing
  uint32_t consumer_credit = 0;
  std::vector<Got> got;
  int drained = 0;
};

// A connection that takes everything at once unless told otherwise.
class FakeSink : public Sink {
 public:
  bool blocked = false;
  uint64_t window = UINT64_MAX;  // bytes it takes before it blocks
  std::vector<amqp::Condition> closed;
  std::map<LinkToken, LinkRecord> links;

  void Attached(LinkToken link, const AttachAnswer& answer) override;
  void Detach(LinkToken link, const amqp::Condition& error) override;
  void Grant(LinkToken link, uint32_t credit) override;
  void Drain(LinkToken link) override { ++links[link].drains; }
  void TakeCredit(LinkToken link) override { SetTaken(link, true); }
  void GiveCreditBack(LinkToken link) override { SetTaken(link, false); }
  void Release(LinkToken link, uint64_t bytes) override { links[link].released += bytes; }
  void SettleIn(LinkToken link, uint32_t delivery, const amqp::Outcome& outcome,
                bool settled) override;
  void Close(const amqp::Condition& error) override { closed.push_back(error); }
  SendOutcome Send(LinkToken link, SendRequest& request) override;
  void SettleOut(LinkToken link, uint32_t delivery, const amqp::Outcome& outcome,
                 bool settled) override;
  void Drained(LinkToken link) override;

 private:
  void SetTaken(LinkToken link, bool taken);

  uint32_t next_delivery_ = 0;
};

class World;

// A client's connection.
struct Peer {
  World* world = nullptr;
  ShardId home = 0;
  FakeSink sink;
  Handle<Connection> connection;
  LinkToken next_token = 0;
  uint32_t next_delivery = 1000;  // of its producers

  Shard& shard() const;
  void Resume();
};

// How a message is sent.
struct SendOptions {
  bool settled = false;
  bool more = false;
  uint32_t format = 0;
};

// A client's sending link.
struct Producer {
  Peer* peer = nullptr;
  LinkToken token = 0;
  Handle<InLink> link;
  uint64_t user = 0;  // of the delivery sent last

  LinkRecord& record() const { return peer->sink.links[token]; }
  // One delivery of these bytes, or the beginning of it; returns its name.
  uint32_t Send(std::string_view bytes, SendOptions options = {});
  // So many deliveries of these bytes, which share their memory.
  void SendMany(int count, std::string_view bytes, SendOptions options = {});
  void More(std::string_view bytes, SendOptions options = {});
  void Abort(std::string_view bytes = "");
  void Settle(uint64_t in_user, amqp::OutcomeKind kind = amqp::OutcomeKind::kNone);
  void Detach();
  std::vector<amqp::OutcomeKind> Outcomes() const;  // settled ones, in order

 private:
  uint32_t Transfer(Slice bytes, const SendOptions& options);
};

// A client's receiving link.
struct Consumer {
  Peer* peer = nullptr;
  LinkToken token = 0;
  Handle<OutLink> link;

  LinkRecord& record() const { return peer->sink.links[token]; }
  std::vector<Got>& got() const { return record().got; }
  std::vector<std::string> Texts() const;  // bodies of what came, as Body() made them
  void Flow(uint32_t credit, bool drain = false);
  void Settle(const Got& got, amqp::OutcomeKind kind, bool settled = true);
  void Settle(const Got& got, const amqp::Outcome& outcome, bool settled);
  // Accepts all that has come and is not settled.
  void AcceptAll();
  void Detach();
};

struct WorldOptions {
  std::vector<AddressSetting> settings;
  Treatment default_treatment = Treatment::kBalanced;
  uint64_t seed = 1;
  uint64_t link_budget_bytes = 4u << 20;
  size_t shards = 1;
  Duration watch_interval;
};

// The shards, their pools, their peers and their pilot.
class World {
 public:
  explicit World(WorldOptions options = {});
  ~World();

  Peer& Connect(ConnectionInfo info = {}, ShardId home = 0);
  Producer Sender(Peer& peer, AttachRequest request);
  Producer Sender(Peer& peer, std::string_view address);
  // Attached, reachable, with this much credit.
  Consumer Receiver(Peer& peer, AttachRequest request, uint32_t credit = 100);
  Consumer Receiver(Peer& peer, std::string_view address, uint32_t credit = 100);
  void Close(Peer& peer);

  // The pilot applies what the shards told it; consumers are answered.
  void Publish();
  // These taps are open from here on; null: none.
  void SetTaps(std::shared_ptr<const TapSet> taps);
  // Publish, then Emit until nothing is left that can go on.
  void Turn();
  // Mail between shards arrives, in any order between pairs, but for what is held back.
  void Carry();
  // Everybody goes: nothing is left anywhere.
  void CheckEnd();

  // Memory as it comes from a socket: a slice of a whole block.
  Slice Memory(std::string_view bytes, ShardId home = 0);

  // What a counter or gauge says in all shards together.
  template <typename Value>
  int64_t Sum(Value ShardStats::*value) const {
    int64_t sum = 0;
    for (const auto& part : parts) sum += static_cast<int64_t>((part->shard->stats().*value).Get());
    return sum;
  }
  uint64_t Unsettled() const;

  // A worker, without sockets and a thread.
  struct Part {
    explicit Part(ShardId id) : pool(id) {}
    BlockPool pool;
    std::unique_ptr<Shard> shard;
    std::shared_ptr<const RouteTable> table;  // that it goes by
    bool late = false;                        // it sees no newer table for now
  };
  // Mail from one shard to another.
  struct Ring {
    std::deque<Envelope> mail;
    bool late = false;  // it does not arrive for now
  };
  Ring& Between(ShardId from, ShardId to) { return rings_[from * parts.size() + to]; }

  std::vector<std::unique_ptr<Part>> parts;  // by shard
  BlockPool& pool;                           // of the first
  ShardOptions options;                      //
  std::unique_ptr<Shard>& shard;             //
  Time now;
  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<Notice> notices;  // all, in order
  bool answer_consumers = true;

 private:
  void Apply(const Notice& notice, RouteTable::Builder& builder);
  void Switch(const ConsumerSwitched& notice, RouteTable::Builder& builder);
  void Put(std::shared_ptr<const Route> route, RouteTable::Builder& builder);
  void Adopt();
  bool CarryOne();

  std::shared_ptr<const AddressSettings> settings_;
  std::shared_ptr<const TapSet> taps_;
  std::map<AddressKey, std::shared_ptr<const Route>> routes_;  // with all targets
  uint32_t next_route_ = 0;
  uint64_t departures_ = 0;
  std::shared_ptr<const RouteTable> table_ = std::make_shared<const RouteTable>();
  uint64_t version_ = 0;
  std::vector<Ring> rings_;
  Random random_;
};

// A message of one data section.
std::string Body(std::string_view text);
// What Body() was made of; "?" for anything else.
std::string TextOf(std::string_view message);

}  // namespace trunkline::core
