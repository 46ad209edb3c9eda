#include "router/core/tap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// A world in which somebody looks.
class TapTest : public testing::Test {
 protected:
  std::shared_ptr<Tap> Open(TapOptions options = {}) {
    options.queue.workers = world_.parts.size();
    auto tap = Tap::Open(std::move(options));
    EXPECT_TRUE(tap.ok()) << tap.status();
    taps_.push_back(*tap);
    Publish();
    return *tap;
  }
  void Publish() {
    auto set = std::make_shared<TapSet>();
    set->taps = taps_;
    world_.SetTaps(taps_.empty() ? nullptr : set);
  }
  static std::vector<TapSample> Take(Tap& tap) {
    std::vector<TapSample> samples;
    tap.queue().Take([&](TapSample&& sample) { samples.push_back(std::move(sample)); });
    return samples;
  }
  // Bodies of what was sampled, as Body() made them.
  static std::vector<std::string> Texts(Tap& tap) {
    std::vector<std::string> texts;
    for (const TapSample& sample : Take(tap)) texts.push_back(TextOf(sample.bytes));
    return texts;
  }

  World world_{{.default_treatment = Treatment::kBalanced, .shards = 2}};
  std::vector<std::shared_ptr<Tap>> taps_;
};

// Number of a link on the shard, as it attached there.
uint64_t Link(uint64_t number, ShardId shard) { return number * kShardsMax + shard; }

TEST_F(TapTest, SeesAMessageAsItCameAndWhoGetsIt) {
  Consumer consumer = world_.Receiver(world_.Connect({.id = 7}), "orders");
  Producer producer = world_.Sender(world_.Connect({.id = 8}), "orders");
  std::shared_ptr<Tap> tap = Open();
  producer.Send(Body("hello"), {.format = 5});
  const std::vector<TapSample> samples = Take(*tap);
  ASSERT_THAT(samples, SizeIs(1));
  EXPECT_EQ(samples[0].bytes, Body("hello"));
  EXPECT_EQ(samples[0].size, Body("hello").size());
  EXPECT_EQ(samples[0].address, "orders");
  EXPECT_EQ(samples[0].from, (LinkName{8, Link(2, 0)}));
  EXPECT_THAT(samples[0].to, ElementsAre(LinkName{7, Link(1, 0)}));
  EXPECT_EQ(samples[0].copies, 1u);
  EXPECT_EQ(samples[0].message_format, 5u);
  EXPECT_TRUE(samples[0].complete);
  EXPECT_FALSE(samples[0].settled);
  world_.Turn();
  EXPECT_THAT(consumer.Texts(), ElementsAre("hello"));
  consumer.AcceptAll();
  world_.CheckEnd();
}

TEST_F(TapTest, NamesAConsumerOfAnotherShard) {
  world_.Receiver(world_.Connect({.id = 7}, 1), "orders");
  Producer producer = world_.Sender(world_.Connect({.id = 8}), "orders");
  std::shared_ptr<Tap> tap = Open();
  producer.Send(Body("a"), {.settled = true});
  const std::vector<TapSample> samples = Take(*tap);
  ASSERT_THAT(samples, SizeIs(1)) << "not again where it goes";
  EXPECT_THAT(samples[0].to, ElementsAre(LinkName{7, Link(1, 1)}));
  EXPECT_TRUE(samples[0].settled);
}

TEST_F(TapTest, NamesAllWhoGetAMulticast) {
  World world({.default_treatment = Treatment::kMulticast, .shards = 2});
  for (uint64_t id = 1; id <= 3; ++id) {
    world.Receiver(world.Connect({.id = id}, id == 3 ? 1 : 0), "news");
  }
  Producer producer = world.Sender(world.Connect({.id = 9}), "news");
  auto tap = Tap::Open({.queue = {.workers = 2}});
  auto set = std::make_shared<TapSet>();
  set->taps.push_back(*tap);
  world.SetTaps(set);
  producer.Send(Body("a"));
  const std::vector<TapSample> samples = Take(**tap);
  ASSERT_THAT(samples, SizeIs(1));
  EXPECT_EQ(samples[0].copies, 3u);
  EXPECT_THAT(samples[0].to,
              UnorderedElementsAre(Field(&LinkName::connection, 1), Field(&LinkName::connection, 2),
                                   Field(&LinkName::connection, 3)));
  world.SetTaps(nullptr);
}

TEST_F(TapTest, SeesWhatNobodyGets) {
  Producer producer = world_.Sender(world_.Connect(), "orders");
  std::shared_ptr<Tap> tap = Open();
  producer.Send(Body("a"));
  EXPECT_THAT(Take(*tap),
              ElementsAre(AllOf(Field(&TapSample::to, IsEmpty()), Field(&TapSample::copies, 0u))));
}

TEST_F(TapTest, TakesTheAddressOfAnAnonymousProducerFromTheMessage) {
  Producer producer = world_.Sender(world_.Connect(), AttachRequest{});
  std::shared_ptr<Tap> all = Open();
  std::shared_ptr<Tap> orders = Open({.address = "orders"});
  // properties.to = "orders", behind a message-id that is null.
  const std::string properties("\x00\x53\x73\xc0\x0b\x03\x40\x40\xa1\x06orders", 16);
  producer.Send(properties + Body("a"));
  producer.Send(Body("no address"));
  EXPECT_THAT(Take(*all),
              ElementsAre(Field(&TapSample::address, "orders"), Field(&TapSample::address, "")));
  EXPECT_THAT(Take(*orders), SizeIs(1));
}

TEST_F(TapTest, LooksAtAddressesByPattern) {
  Producer a = world_.Sender(world_.Connect(), "orders/eu/1");
  Producer b = world_.Sender(world_.Connect(), "amqp://host/orders");
  Producer c = world_.Sender(world_.Connect(), "other");
  std::shared_ptr<Tap> exact = Open({.address = "orders"});
  std::shared_ptr<Tap> below = Open({.address = "orders/#"});
  std::shared_ptr<Tap> one = Open({.address = "orders.*.1"});
  a.Send(Body("a"));
  b.Send(Body("b"));
  c.Send(Body("c"));
  EXPECT_THAT(Texts(*exact), ElementsAre("b"));
  EXPECT_THAT(Texts(*below), ElementsAre("a", "b"));
  EXPECT_THAT(Texts(*one), ElementsAre("a"));
}

TEST_F(TapTest, TakesOneInSoMany) {
  Producer producer = world_.Sender(world_.Connect(), "orders");
  Producer other = world_.Sender(world_.Connect(), "other");
  std::shared_ptr<Tap> tap = Open({.address = "orders", .one_in = 3});
  for (int i = 0; i < 7; ++i) {
    producer.Send(Body(std::to_string(i)));
    other.Send(Body("does not count"));
  }
  EXPECT_THAT(Texts(*tap), ElementsAre("0", "3", "6"));
}

TEST_F(TapTest, TakesNoMoreThanItMayPerSecond) {
  Producer producer = world_.Sender(world_.Connect(), "orders");
  std::shared_ptr<Tap> tap = Open({.queue = {.per_second = 2}});
  for (const char* text : {"a", "b", "c"}) producer.Send(Body(text));
  EXPECT_THAT(Texts(*tap), ElementsAre("a", "b"));
  EXPECT_EQ(tap->queue().limited(), 1u);
  world_.now = world_.now + Seconds(1);
  world_.Turn();
  for (const char* text : {"d", "e", "f"}) producer.Send(Body(text));
  EXPECT_THAT(Texts(*tap), ElementsAre("d", "e"));
  EXPECT_EQ(tap->queue().limited(), 2u);
  EXPECT_EQ(tap->queue().dropped(), 0u);
}

TEST_F(TapTest, CountsWhatFindsNoRoom) {
  Producer producer = world_.Sender(world_.Connect(), "orders");
  std::shared_ptr<Tap> tap = Open({.queue = {.samples_max = 2}});
  for (const char* text : {"a", "b", "c"}) producer.Send(Body(text));
  EXPECT_EQ(tap->queue().dropped(), 1u);
  EXPECT_THAT(Texts(*tap), ElementsAre("a", "b"));
  producer.Send(Body("d"));
  EXPECT_THAT(Texts(*tap), ElementsAre("d"));
}

TEST_F(TapTest, KeepsTheBeginningOfALongMessage) {
  Producer producer = world_.Sender(world_.Connect(), "orders");
  std::shared_ptr<Tap> head = Open();
  std::shared_ptr<Tap> body = Open({.body_bytes = 100});
  const std::string message = Body(std::string(10'000, 'x'));
  producer.Send(message.substr(0, 5'000), {.more = true});
  EXPECT_THAT(Take(*head), IsEmpty()) << "not forwarded yet";
  producer.More(message.substr(5'000));
  EXPECT_THAT(Take(*head),
              ElementsAre(AllOf(Field(&TapSample::bytes, message.substr(0, kTapHeadBytes)),
                                Field(&TapSample::size, message.size()))));
  EXPECT_THAT(Take(*body),
              ElementsAre(Field(&TapSample::bytes, message.substr(0, kTapHeadBytes + 100))));
}

TEST_F(TapTest, SeesNothingOnceItIsClosed) {
  Producer producer = world_.Sender(world_.Connect(), "orders");
  std::shared_ptr<Tap> tap = Open();
  taps_.clear();
  Publish();
  producer.Send(Body("a"));
  EXPECT_THAT(Take(*tap), IsEmpty());
  EXPECT_EQ(tap.use_count(), 1) << "nobody else knows it any more";
}

TEST_F(TapTest, RefusesAPatternThatIsNone) { EXPECT_FALSE(Tap::Open({.address = "///"}).ok()); }

}  // namespace
}  // namespace trunkline::core
