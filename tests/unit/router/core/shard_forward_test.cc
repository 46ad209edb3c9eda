#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// properties{user-id, to} and a body; both at most 100 characters.
std::string Addressed(std::string_view to, std::string_view user_id = "") {
  std::string fields("\x40", 1);
  fields += user_id.empty()
                ? std::string("\x40")
                : std::string("\xa0") + static_cast<char>(user_id.size()) + std::string(user_id);
  fields += std::string("\xa1") + static_cast<char>(to.size()) + std::string(to);
  std::string section("\x00\x53\x73\xc0", 4);
  section += static_cast<char>(fields.size() + 1);
  section += '\x03';
  return section + fields + Body("m");
}

// The same of any length.
std::string AddressedFar(const std::string& to) {
  const auto number = [](size_t n) {
    return std::string{static_cast<char>(n >> 24), static_cast<char>(n >> 16),
                       static_cast<char>(n >> 8), static_cast<char>(n)};
  };
  const std::string fields = "\x40\x40\xb1" + number(to.size()) + to;
  return std::string("\x00\x53\x73\xd0", 4) + number(fields.size() + 4) + number(3) + fields +
         Body("m");
}

// Starts like properties but is no list.
const std::string kBadProperties = std::string("\x00\x53\x73\x41", 4) + Body("m");
const std::string kBadAnnotations = std::string("\x00\x53\x72\x41", 4) + Body("m");

TEST(ShardForward, KeepsTheBytesAndTheFormat) {
  World world;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  const std::string message = Addressed("elsewhere") + Body("two") + Body("three");
  producer.Send(message, {.format = 7});
  world.Turn();
  ASSERT_THAT(consumer.got(), SizeIs(1));
  EXPECT_EQ(consumer.got()[0].bytes, message);
  EXPECT_EQ(consumer.got()[0].format, 7u);
}

TEST(ShardForward, ClosestTakesTurnsEvenWithAStalledConsumer) {
  World world({.settings = {{.pattern = "near", .treatment = Treatment::kClosest}}});
  Peer& peer = world.Connect();
  Consumer stalled = world.Receiver(peer, "near", 0);
  Consumer quick = world.Receiver(peer, "near", 10);
  Producer producer = world.Sender(peer, "near");
  for (int i = 0; i < 6; ++i) producer.Send(Body(std::to_string(i)));
  world.Turn();
  EXPECT_THAT(quick.Texts(), ElementsAre("1", "3", "5"));
  stalled.Flow(10);
  world.Turn();
  EXPECT_THAT(stalled.Texts(), ElementsAre("0", "2", "4"));
}

TEST(ShardForward, BalancedLooksAtWhatIsOutstanding) {
  World world;
  Peer& peer = world.Connect();
  Consumer one = world.Receiver(peer, "work");
  Consumer two = world.Receiver(peer, "work");
  Producer producer = world.Sender(peer, "work");
  for (int i = 0; i < 4; ++i) producer.Send(Body(std::to_string(i)));
  world.Turn();
  EXPECT_THAT(one.Texts(), ElementsAre("0", "2"));
  EXPECT_THAT(two.Texts(), ElementsAre("1", "3"));
  two.AcceptAll();
  producer.Send(Body("4"));
  producer.Send(Body("5"));
  world.Turn();
  EXPECT_THAT(two.Texts(), ElementsAre("1", "3", "4", "5")) << "two is the idle one";
}

TEST(ShardForward, SkipsAConsumerThatTheTableStillNames) {
  World world;
  Peer& peer = world.Connect();
  Consumer gone = world.Receiver(peer, "work");
  Consumer here = world.Receiver(peer, "work");
  Producer producer = world.Sender(peer, "work");
  gone.Detach();
  producer.Send(Body("m"));
  here.Detach();
  producer.Send(Body("n"));
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kReleased, OutcomeKind::kReleased));
  EXPECT_EQ(producer.record().credit, 250u) << "the table will tell";
  EXPECT_EQ(producer.record().drains, 0);
}

TEST(ShardForward, LooksNoDeeperThanItMust) {
  World world;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  producer.Send(kBadProperties);
  world.Turn();
  ASSERT_THAT(consumer.got(), SizeIs(1));
  EXPECT_EQ(consumer.got()[0].bytes, kBadProperties);
  producer.Send(kBadAnnotations);
  world.Turn();
  EXPECT_THAT(consumer.got(), SizeIs(1));
  ASSERT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kRejected));
  EXPECT_EQ(
      producer.record().told[0].raw,
      amqp::EncodeRejected(
          {.name = "amqp:decode-error", .description = "invalid message format", .info = {}}));
  EXPECT_EQ(producer.record().credit, 249u) << "that of the first";
}

TEST(ShardForward, RejectsWhatEndsWithinAnAnnotation) {
  World world;
  Peer& peer = world.Connect();
  world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  const std::string message("\x00\x53\x72\xc1\x09\x02\xa3\x01k\xa1\x03val", 14);
  for (size_t cut = 1; cut < message.size(); ++cut) {
    producer.Send(message.substr(0, cut));
    ASSERT_THAT(producer.Outcomes(), SizeIs(cut));
    EXPECT_EQ(producer.Outcomes().back(), OutcomeKind::kRejected) << cut;
  }
}

TEST(ShardForward, SendsAnonymousMessagesWhereTheySay) {
  World world;
  Peer& peer = world.Connect();
  Consumer a = world.Receiver(peer, "a");
  Consumer b = world.Receiver(peer, "b");
  Producer producer = world.Sender(peer, AttachRequest{});
  producer.Send(Addressed("a"));
  producer.Send(Addressed("b"));
  producer.Send(Addressed("amqp:/b"));
  producer.Send(Addressed("nobody"));
  world.Turn();
  EXPECT_THAT(a.got(), SizeIs(1));
  EXPECT_THAT(b.got(), SizeIs(2));
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kReleased));
}

TEST(ShardForward, ForgetsTheLastAnonymousAddressWithEachTable) {
  World world;
  Peer& peer = world.Connect();
  Producer producer = world.Sender(peer, AttachRequest{});
  producer.Send(Addressed("a"));
  Consumer a = world.Receiver(peer, "a");
  producer.Send(Addressed("a"));
  world.Turn();
  EXPECT_THAT(a.got(), SizeIs(1));
  a.Detach();
  world.Turn();
  producer.Send(Addressed("a"));
  EXPECT_THAT(producer.Outcomes(),
              ElementsAre(OutcomeKind::kReleased, OutcomeKind::kModified, OutcomeKind::kReleased));
}

TEST(ShardForward, SendsAnonymousMessagesToAddressesOfAnyLength) {
  World world;
  Peer& peer = world.Connect();
  Producer producer = world.Sender(peer, AttachRequest{});
  std::vector<Consumer> consumers;
  const std::vector<std::string> addresses = {std::string(512, 'a'), std::string(513, 'a'),
                                              std::string(9000, 'a'), "a"};
  for (const std::string& address : addresses) consumers.push_back(world.Receiver(peer, address));
  for (int i = 0; i < 3; ++i) {
    for (const std::string& address : addresses) {
      producer.Send(AddressedFar(address));
      producer.Send(AddressedFar(address));
    }
  }
  world.Turn();
  for (const Consumer& consumer : consumers) EXPECT_THAT(consumer.got(), SizeIs(6));
}

TEST(ShardForward, RejectsAnonymousMessagesThatSayNothing) {
  World world;
  Peer& peer = world.Connect();
  Producer producer = world.Sender(peer, AttachRequest{});
  for (const std::string& message : {Body("m"), Addressed("")}) {
    producer.Send(message);
    EXPECT_EQ(producer.record().told.back().raw,
              amqp::EncodeRejected({.name = "amqp:precondition-failed",
                                    .description = "Routing failure: no address present",
                                    .info = {}}));
  }
  producer.Send(kBadProperties);
  EXPECT_THAT(producer.record().told.back().raw, HasSubstr("amqp:decode-error"));
}

TEST(ShardForward, RejectsAnonymousMessagesToAnUnavailableAddress) {
  World world({.settings = {{.pattern = "gone/#", .treatment = Treatment::kUnavailable}}});
  Peer& peer = world.Connect();
  Producer producer = world.Sender(peer, AttachRequest{});
  producer.Send(Addressed("gone/1"));
  ASSERT_THAT(producer.record().told, SizeIs(1));
  EXPECT_EQ(
      producer.record().told[0].raw,
      amqp::EncodeRejected({.name = "amqp:not-found",
                            .description = "Deliveries cannot be sent to an unavailable address",
                            .info = {}}));
}

TEST(ShardForward, ReleasesWhatIsMeantForRouters) {
  World world;
  Peer& peer = world.Connect();
  Consumer spy = world.Receiver(peer, "_topo/0/all/qdrouter");
  Producer targeted = world.Sender(peer, "_topo/0/all/qdrouter");
  Producer anonymous = world.Sender(peer, AttachRequest{});
  targeted.Send(Body("m"));
  anonymous.Send(Addressed("_local/qdhello"));
  world.Turn();
  EXPECT_THAT(targeted.Outcomes(), ElementsAre(OutcomeKind::kReleased));
  EXPECT_THAT(anonymous.Outcomes(), ElementsAre(OutcomeKind::kReleased));
  EXPECT_THAT(spy.got(), IsEmpty());
  EXPECT_EQ(targeted.record().credit, 250u);
  EXPECT_EQ(targeted.record().drains, 0);
}

TEST(ShardForward, HoldsTheUserIdAgainstTheUser) {
  World world;
  Peer& peer = world.Connect({.user = "ann", .allow_user_id_proxy = false});
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  producer.Send(Addressed("x", "ann"));
  producer.Send(Addressed("x"));
  producer.Send(Addressed("x", "bob"));
  world.Turn();
  EXPECT_THAT(consumer.got(), SizeIs(2));
  ASSERT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kRejected));
  EXPECT_EQ(producer.record().told[0].raw,
            amqp::EncodeRejected({.name = "amqp:unauthorized-access",
                                  .description = "user_id proxy violation",
                                  .info = {}}));
  producer.Send(kBadProperties);
  EXPECT_THAT(producer.record().told.back().raw, HasSubstr("amqp:decode-error"));
}

TEST(ShardForward, LetsAnyUserIdPassWhenProxiesAreAllowed) {
  World world;
  Peer& peer = world.Connect({.user = "ann"});
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  producer.Send(Addressed("x", "bob"));
  world.Turn();
  EXPECT_THAT(consumer.got(), SizeIs(1));
}

TEST(ShardForward, KeepsTheOrderOfAProducerTowardsEachConsumer) {
  World world;
  Peer& peer = world.Connect();
  Consumer one = world.Receiver(peer, "work", 3);
  Consumer two = world.Receiver(peer, "work", 200);
  Producer producer = world.Sender(peer, "work");
  for (int i = 100; i < 200; ++i) {
    producer.Send(Body(std::to_string(i)));
    if (i % 7 == 0) world.Turn();
  }
  world.Turn();
  one.Flow(200);
  world.Turn();
  EXPECT_EQ(one.got().size() + two.got().size(), 100u);
  const std::vector<std::string> texts[] = {one.Texts(), two.Texts()};
  EXPECT_TRUE(std::is_sorted(texts[0].begin(), texts[0].end()));
  EXPECT_TRUE(std::is_sorted(texts[1].begin(), texts[1].end()));
}

}  // namespace
}  // namespace trunkline::core
