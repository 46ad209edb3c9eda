#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "router/base/random.h"
#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;

constexpr uint32_t kCapacity = 20;
const char* const kAddresses[] = {"work", "fan", "near", "safe"};

// A producer and what it remembers of its deliveries.
struct StormProducer {
  Producer link;
  int address = 0;
  bool alive = true;
  uint64_t sent_bytes = 0;
  int drains_answered = 0;
  uint64_t open_user = 0;  // an incomplete delivery, if any
  bool incomplete = false;
  bool incomplete_settled = false;
  uint32_t incomplete_name = 0;
  std::string rest;
  std::map<uint32_t, uint64_t> waiting;  // unsettled deliveries: name to user
  size_t told_seen = 0;
};

struct StormConsumer {
  Consumer link;
  int address = 0;
  bool alive = true;
  std::vector<bool> settled;  // by position in got()
};

// Everything that can happen, in random order.
class Storm {
 public:
  Storm(uint64_t seed, size_t shards)
      : random_(seed),
        world_({.settings = {{.pattern = "fan", .treatment = Treatment::kMulticast},
                             {.pattern = "near", .treatment = Treatment::kClosest},
                             {.pattern = "safe", .fallback = true}},
                .seed = seed,
                .link_budget_bytes = 64 * 1024,
                .shards = shards}) {}

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      Step();
      ReadOutcomes();
    }
    Finish();
    Check();
  }

 private:
  bool Chance(uint64_t percent) { return random_.Below(100) < percent; }
  template <typename T>
  T* Any(std::vector<T>& all) {
    std::vector<T*> alive;
    for (T& one : all) {
      if (one.alive) alive.push_back(&one);
    }
    return alive.empty() ? nullptr : alive[random_.Below(alive.size())];
  }

  void Step() {
    const uint64_t dice = random_.Below(1000);
    if (dice < 10) return OpenConnection();
    if (dice < 13) return CloseConnection();
    if (dice < 40) return AttachProducer();
    if (dice < 70) return AttachConsumer();
    if (dice < 85) return DetachProducer();
    if (dice < 100) return DetachConsumer();
    if (dice < 500) return Send();
    if (dice < 560) return Flow();
    if (dice < 760) return Dispose();
    if (dice < 780) return SettleByProducer();
    if (dice < 820) return Block();
    if (dice < 850) return AnswerDrain();
    if (dice < 880) return Delay();
    if (dice < 900) return world_.Publish();
    world_.Turn();
  }

  void OpenConnection() {
    if (open_.size() >= 6) return;
    open_.push_back(&world_.Connect({.link_capacity = kCapacity,
                                     .strip_inbound_annotations = Chance(50),
                                     .strip_outbound_annotations = Chance(50),
                                     .session_window_bytes = 128 * 1024},
                                    static_cast<ShardId>(random_.Below(world_.parts.size()))));
  }

  void CloseConnection() {
    if (open_.size() < 2) return;
    Peer* peer = open_[random_.Below(open_.size())];
    world_.Close(*peer);
    std::erase(open_, peer);
    for (StormProducer& producer : producers_) {
      if (producer.link.peer == peer) producer.alive = false;
    }
    for (StormConsumer& consumer : consumers_) {
      if (consumer.link.peer == peer) consumer.alive = false;
    }
  }

  void AttachProducer() {
    if (open_.empty()) return;
    StormProducer producer;
    producer.address = static_cast<int>(random_.Below(4));
    producer.link =
        world_.Sender(*open_[random_.Below(open_.size())], kAddresses[producer.address]);
    producers_.push_back(std::move(producer));
  }

  void AttachConsumer() {
    if (open_.empty()) return;
    StormConsumer consumer;
    consumer.address = static_cast<int>(random_.Below(4));
    const AttachRequest request{.address = kAddresses[consumer.address],
                                .fallback = consumer.address == 3 && Chance(50)};
    consumer.link = world_.Receiver(*open_[random_.Below(open_.size())], request,
                                    static_cast<uint32_t>(random_.Below(10)));
    consumers_.push_back(std::move(consumer));
  }

  void DetachProducer() {
    StormProducer* producer = Any(producers_);
    if (producer == nullptr) return;
    producer->link.Detach();
    producer->alive = false;
    EXPECT_EQ(producer->link.record().released, producer->sent_bytes) << "its window is free";
  }

  void DetachConsumer() {
    StormConsumer* consumer = Any(consumers_);
    if (consumer == nullptr) return;
    consumer->link.Detach();
    consumer->alive = false;
  }

  std::string Message() {
    const uint64_t kind = random_.Below(10);
    const uint64_t size = kind < 6   ? 10 + random_.Below(300)
                          : kind < 9 ? random_.Below(20'000)
                                     : 100'000 + random_.Below(300'000);
    std::string text = std::to_string(next_message_++) + ":";
    text.resize(text.size() + size, static_cast<char>('a' + next_message_ % 26));
    return Body(text);
  }

  void Send() {
    StormProducer* producer = Any(producers_);
    if (producer == nullptr) return;
    if (producer->incomplete) return Continue(*producer);
    if (producer->link.record().credit == 0) return;
    const std::string message = Message();
    const bool settled = Chance(20);
    const bool more = message.size() > 16'000 || Chance(10);
    const size_t first = more ? std::min<size_t>(message.size() / 2, 16'000) : message.size();
    producer->sent_bytes += first;
    const uint32_t name =
        producer->link.Send(message.substr(0, first), {.settled = settled, .more = more});
    if (!settled) producer->waiting[name] = producer->link.user;
    producer->incomplete = more;
    producer->incomplete_name = name;
    producer->incomplete_settled = settled;
    producer->open_user = producer->link.user;
    producer->rest = message.substr(first);
  }

  void Continue(StormProducer& producer) {
    producer.link.user = producer.open_user;
    if (Chance(3)) {
      producer.link.Abort();
      producer.waiting.erase(producer.incomplete_name);
      producer.incomplete = false;
      return;
    }
    const size_t bytes = std::min<size_t>(producer.rest.size(), 1 + random_.Below(60'000));
    const bool more = bytes < producer.rest.size();
    const bool settled = !more && Chance(5);
    if (settled) producer.waiting.erase(producer.incomplete_name);
    producer.sent_bytes += bytes;
    producer.incomplete = more;
    producer.link.More(producer.rest.substr(0, bytes), {.settled = settled, .more = more});
    producer.rest.erase(0, bytes);
  }

  void Flow() {
    StormConsumer* consumer = Any(consumers_);
    if (consumer == nullptr) return;
    consumer->link.Flow(static_cast<uint32_t>(random_.Below(20)), Chance(10));
  }

  void Dispose() {
    StormConsumer* consumer = Any(consumers_);
    if (consumer == nullptr || consumer->link.got().empty()) return;
    consumer->settled.resize(consumer->link.got().size());
    const size_t at = random_.Below(consumer->link.got().size());
    const Got got = consumer->link.got()[at];
    if (consumer->settled[at] || got.settled || IsSettledByProducer(got)) return;
    static constexpr OutcomeKind kKinds[] = {OutcomeKind::kAccepted, OutcomeKind::kAccepted,
                                             OutcomeKind::kRejected, OutcomeKind::kReleased,
                                             OutcomeKind::kModified, OutcomeKind::kReceived,
                                             OutcomeKind::kDeclared, OutcomeKind::kNone};
    const bool settled = Chance(80);
    consumer->link.Settle(got, kKinds[random_.Below(8)], settled);
    consumer->settled[at] = settled;
  }

  static bool IsSettledByProducer(const Got& got) {
    return std::any_of(got.from_producer.begin(), got.from_producer.end(),
                       [](const Told& told) { return told.settled; });
  }

  void SettleByProducer() {
    StormProducer* producer = Any(producers_);
    if (producer == nullptr || producer->waiting.empty()) return;
    auto at = producer->waiting.begin();
    std::advance(at, random_.Below(producer->waiting.size()));
    const uint64_t user = at->second;
    producer->waiting.erase(at);
    producer->link.Settle(user);
  }

  void Block() {
    if (open_.empty()) return;
    Peer* peer = open_[random_.Below(open_.size())];
    peer->sink.blocked = Chance(30);
    peer->sink.window = Chance(50) ? random_.Below(50'000) : UINT64_MAX;
    if (!peer->sink.blocked) peer->Resume();
  }

  void AnswerDrain() {
    StormProducer* producer = Any(producers_);
    if (producer == nullptr || producer->link.record().drains == producer->drains_answered) return;
    producer->drains_answered = producer->link.record().drains;
    producer->link.record().credit = 0;
    producer->link.peer->shard().OnProducerFlow(producer->link.link, 0);
  }

  // Of mail between shards, and of tables.
  void Delay() {
    const auto any = [this] { return static_cast<ShardId>(random_.Below(world_.parts.size())); };
    world_.Between(any(), any()).late = Chance(30);
    world_.parts[any()]->late = Chance(20);
    if (Chance(20)) world_.now = world_.now + kMillisecond * 100;
  }

  // Each delivery is settled towards its producer once at most, and only while it waits for it.
  void ReadOutcomes() {
    for (StormProducer& producer : producers_) {
      const std::vector<Told>& told = producer.link.record().told;
      for (; producer.told_seen < told.size(); ++producer.told_seen) {
        const Told& one = told[producer.told_seen];
        EXPECT_EQ(producer.waiting.count(one.delivery), 1u) << "told of what is settled";
        if (one.settled) producer.waiting.erase(one.delivery);
      }
    }
  }

  // Calm: everybody is there, takes all and settles it.
  void Finish() {
    for (ShardId from = 0; from < world_.parts.size(); ++from) {
      world_.parts[from]->late = false;
      for (ShardId to = 0; to < world_.parts.size(); ++to) world_.Between(from, to).late = false;
    }
    world_.Turn();
    ReadOutcomes();
    if (open_.empty()) OpenConnection();
    for (Peer* peer : open_) {
      peer->sink.blocked = false;
      peer->sink.window = UINT64_MAX;
      peer->Resume();
    }
    for (StormProducer& producer : producers_) {
      while (producer.alive && producer.incomplete) {
        Continue(producer);
        ReadOutcomes();
      }
    }
    for (int address = 0; address < 4; ++address) {
      StormConsumer consumer;
      consumer.link = world_.Receiver(*open_[0], kAddresses[address], 1000);
      consumers_.push_back(std::move(consumer));
    }
    for (int round = 0; round < 5; ++round) {
      world_.Turn();
      for (StormConsumer& consumer : consumers_) {
        if (!consumer.alive) continue;
        consumer.link.Flow(1000);
        consumer.link.AcceptAll();
      }
    }
    world_.Turn();
    ReadOutcomes();
  }

  void Check() {
    EXPECT_EQ(world_.Unsettled(), 0u);
    EXPECT_EQ(world_.Sum(&ShardStats::undelivered), 0);
    EXPECT_EQ(world_.Sum(&ShardStats::unsettled), 0);
    for (StormProducer& producer : producers_) {
      if (!producer.alive) continue;
      EXPECT_TRUE(producer.waiting.empty()) << "no outcome";
      EXPECT_EQ(producer.link.record().released, producer.sent_bytes);
      EXPECT_EQ(producer.link.record().credit, kCapacity);
    }
    for (StormConsumer& consumer : consumers_) CheckMessages(consumer);
    while (!open_.empty()) {
      world_.Close(*open_.back());
      open_.pop_back();
    }
    world_.Publish();
    world_.CheckEnd();
  }

  // Whole messages, none twice on a link.
  void CheckMessages(StormConsumer& consumer) {
    std::map<std::string, int> seen;
    for (const Got& got : consumer.link.got()) {
      if (!got.complete || got.aborted) continue;
      const size_t data = got.bytes.find(std::string("\x00\x53\x75\xb0", 4));
      ASSERT_NE(data, std::string::npos);
      const std::string text = TextOf(got.bytes.substr(data));
      const size_t colon = text.find(':');
      ASSERT_NE(colon, std::string::npos);
      EXPECT_EQ(text.find_first_not_of(text.back(), colon + 1), std::string::npos);
      uint32_t size = 0;
      for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<uint8_t>(got.bytes[data + 4 + i]);
      EXPECT_EQ(text.size(), size);
      EXPECT_EQ(++seen[text.substr(0, colon)], 1) << "twice";
    }
  }

  Random random_;
  World world_;
  std::vector<Peer*> open_;
  std::vector<StormProducer> producers_;
  std::vector<StormConsumer> consumers_;
  uint64_t next_message_ = 0;
};

class StormTest : public testing::TestWithParam<size_t> {};

TEST_P(StormTest, LosesNothingAndForgetsNothing) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Storm storm(seed, GetParam());
    storm.Run(1500);
    if (testing::Test::HasFailure()) return;
  }
}

// By the number of shards.
INSTANTIATE_TEST_SUITE_P(Shards, StormTest, testing::Values(1, 2, 3, 8),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace trunkline::core
