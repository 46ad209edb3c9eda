#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

std::string Symbol(std::string_view text) {
  return std::string("\xa3") + static_cast<char>(text.size()) + std::string(text);
}
std::string Text(std::string_view text) {
  return std::string("\xa1") + static_cast<char>(text.size()) + std::string(text);
}
const std::string kOne("\x54\x01", 2);  // smallint 1

std::string Trace(const std::vector<std::string>& nodes) {
  std::string items;
  for (const std::string& node : nodes) items += Text(node);
  return std::string("\xc0") + static_cast<char>(items.size() + 1) +
         static_cast<char>(nodes.size()) + items;
}

// A message-annotations section of encoded keys and values.
std::string Annotations(const std::vector<std::string>& items) {
  std::string all;
  for (const std::string& item : items) all += item;
  return std::string("\x00\x53\x72\xc1", 4) + static_cast<char>(all.size() + 1) +
         static_cast<char>(items.size()) + all;
}

const std::string kHeader("\x00\x53\x70\xc0\x02\x01\x41", 7);
const std::string kUserKey = Symbol("x-user");
const std::string kUserValue = Text("u1");

class AnnotationsTest : public testing::Test {
 protected:
  // What a consumer gets of `message`, with these settings of its and the producer's connection.
  std::string Pass(const std::string& message, bool strip_in, bool strip_out) {
    World world;
    Peer& near = world.Connect({.strip_inbound_annotations = strip_in});
    Peer& far = world.Connect({.strip_outbound_annotations = strip_out});
    Consumer consumer = world.Receiver(far, "plain/addr");
    Producer producer = world.Sender(near, "plain/addr");
    producer.Send(message);
    world.Turn();
    EXPECT_EQ(producer.record().released, message.size());
    return consumer.got().empty() ? "nothing" : consumer.got()[0].bytes;
  }

  const std::string router_keys_ = Symbol("x-opt-qd.to") + Text("plain/addr") +
                                   Symbol("x-opt-qd.ingress") + Text("0/A") +
                                   Symbol("x-opt-qd.trace") + Trace({"0/A"});
  const std::string forged_ = kHeader +
                              Annotations({kUserKey, kUserValue, Symbol("x-opt-qd.to"), Text("zz"),
                                           Symbol("x-opt-qd.ingress"), Text("0/Z"),
                                           Symbol("x-opt-qd.trace"), Trace({"0/Z"})}) +
                              Body("m");
};

TEST_F(AnnotationsTest, LeavesMessagesWithoutRouterKeysAloneWhenStripping) {
  const std::string message = kHeader + Annotations({kUserKey, kUserValue}) + Body("m");
  EXPECT_EQ(Pass(message, true, true), message);
  EXPECT_EQ(Pass(Body("m"), true, true), Body("m"));
}

TEST_F(AnnotationsTest, AddsRouterKeysBehindTheUsers) {
  const std::string want = kHeader +
                           Annotations({kUserKey, kUserValue, Symbol("x-opt-qd.to"),
                                        Text("plain/addr"), Symbol("x-opt-qd.ingress"), Text("0/A"),
                                        Symbol("x-opt-qd.trace"), Trace({"0/A"})}) +
                           Body("m");
  EXPECT_EQ(Pass(kHeader + Annotations({kUserKey, kUserValue}) + Body("m"), true, false), want);
  EXPECT_EQ(Pass(forged_, true, false), want) << "the client's own are dropped";
}

TEST_F(AnnotationsTest, AddsASectionWhereThereWasNone) {
  EXPECT_EQ(Pass(Body("m"), true, false),
            Annotations({Symbol("x-opt-qd.to"), Text("plain/addr"), Symbol("x-opt-qd.ingress"),
                         Text("0/A"), Symbol("x-opt-qd.trace"), Trace({"0/A"})}) +
                Body("m"));
}

TEST_F(AnnotationsTest, RemovesRouterKeysOnTheWayOut) {
  const std::string want = kHeader + Annotations({kUserKey, kUserValue}) + Body("m");
  EXPECT_EQ(Pass(forged_, true, true), want);
  EXPECT_EQ(Pass(forged_, false, true), want);
  EXPECT_EQ(Pass(Annotations({Symbol("x-opt-qd.to"), Text("zz")}) + Body("m"), false, true),
            Body("m"))
      << "nothing is left of the section";
}

TEST_F(AnnotationsTest, KeepsIngressAndExtendsTheTraceOfATrustedClient) {
  EXPECT_EQ(Pass(forged_, false, false),
            kHeader +
                Annotations({kUserKey, kUserValue, Symbol("x-opt-qd.to"), Text("plain/addr"),
                             Symbol("x-opt-qd.ingress"), Text("0/Z"), Symbol("x-opt-qd.trace"),
                             Trace({"0/Z", "0/A"})}) +
                Body("m"));
}

TEST_F(AnnotationsTest, ReleasesWhatHasPassedTooManyRouters) {
  World world;
  Peer& trusted = world.Connect({.strip_inbound_annotations = false});
  Consumer consumer = world.Receiver(trusted, "orders");
  Producer producer = world.Sender(trusted, "orders");
  producer.Send(Annotations({Symbol("x-opt-qd.trace"), Trace({"0/X", "0/Y"})}) + Body("m"));
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kReleased));
  producer.Send(Annotations({Symbol("x-opt-qd.trace"), Trace({"0/X"})}) + Body("m"));
  world.Turn();
  EXPECT_THAT(consumer.got(), SizeIs(1));
}

TEST_F(AnnotationsTest, RejectsRouterKeysOfAWrongTypeUnlessTheyAreDropped) {
  const std::string message = Annotations({Symbol("x-opt-qd.to"), kOne}) + Body("m");
  EXPECT_EQ(Pass(message, true, true), Body("m"));
  World world;
  Peer& trusted = world.Connect({.strip_inbound_annotations = false});
  Consumer consumer = world.Receiver(trusted, "orders");
  Producer producer = world.Sender(trusted, "orders");
  producer.Send(message);
  world.Turn();
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kRejected));
  EXPECT_THAT(producer.record().told[0].raw, HasSubstr("amqp:invalid-field"));
  EXPECT_THAT(producer.record().told[0].raw, HasSubstr("x-opt-qd.to"));
  EXPECT_THAT(consumer.got(), IsEmpty());
}

TEST_F(AnnotationsTest, OfAnAnonymousMessageNameNoTarget) {
  World world;
  Peer& peer = world.Connect({.strip_outbound_annotations = false});
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, AttachRequest{});
  const std::string message =
      std::string("\x00\x53\x73\xc0\x0b\x03\x40\x40\xa1\x06orders", 16) + Body("m");
  producer.Send(message);
  world.Turn();
  ASSERT_THAT(consumer.got(), SizeIs(1));
  EXPECT_EQ(consumer.got()[0].bytes, Annotations({Symbol("x-opt-qd.ingress"), Text("0/A"),
                                                  Symbol("x-opt-qd.trace"), Trace({"0/A"})}) +
                                         message);
}

TEST_F(AnnotationsTest, SendATrustedAnonymousMessageWhereTheySay) {
  World world;
  Peer& trusted = world.Connect({.strip_inbound_annotations = false});
  Peer& plain = world.Connect();
  Consumer consumer = world.Receiver(plain, "orders");
  const std::string message = Annotations({Symbol("x-opt-qd.to"), Text("orders")}) + Body("m");
  world.Sender(trusted, AttachRequest{}).Send(message);
  Producer untrusted = world.Sender(plain, AttachRequest{});
  untrusted.Send(message);
  world.Turn();
  EXPECT_THAT(consumer.got(), SizeIs(1));
  EXPECT_THAT(untrusted.Outcomes(), ElementsAre(OutcomeKind::kRejected));
}

TEST_F(AnnotationsTest, KeepTheTargetThatATrustedAnonymousMessageNamed) {
  World world;
  Peer& trusted =
      world.Connect({.strip_inbound_annotations = false, .strip_outbound_annotations = false});
  Consumer consumer = world.Receiver(trusted, "orders");
  const std::string target = Symbol("x-opt-qd.to") + Text("amqp:/orders");
  world.Sender(trusted, AttachRequest{})
      .Send(Annotations({Symbol("x-opt-qd.to"), Text("amqp:/orders")}) + Body("m"));
  world.Turn();
  ASSERT_THAT(consumer.got(), SizeIs(1));
  EXPECT_THAT(consumer.got()[0].bytes, HasSubstr(target));
}

TEST_F(AnnotationsTest, TellThePhase) {
  World world({.settings = {{.pattern = "way", .ingress_phase = '2', .egress_phase = '2'}}});
  Peer& peer = world.Connect({.strip_outbound_annotations = false});
  Consumer consumer = world.Receiver(peer, "way");
  world.Sender(peer, "way").Send(Body("m"));
  world.Turn();
  ASSERT_THAT(consumer.got(), SizeIs(1));
  EXPECT_THAT(consumer.got()[0].bytes,
              HasSubstr(Symbol("x-opt-qd.phase") + std::string("\x54\x02", 2)));
}

TEST_F(AnnotationsTest, GiveEachCopyOfAMulticastWhatItsConsumerMaySee) {
  World world({.default_treatment = Treatment::kMulticast});
  Peer& near = world.Connect({.strip_inbound_annotations = false});
  Peer& plain = world.Connect();
  Peer& curious = world.Connect({.strip_outbound_annotations = false});
  Consumer one = world.Receiver(plain, "fan");
  Consumer two = world.Receiver(curious, "fan");
  Consumer three = world.Receiver(plain, "fan");
  Producer producer = world.Sender(near, "fan");
  const std::string keys = Symbol("x-opt-qd.ingress") + Text("0/Z");
  producer.Send(Annotations({Symbol("x-opt-qd.ingress"), Text("0/Z")}) + Body("m"));
  world.Turn();
  ASSERT_THAT(two.got(), SizeIs(1));
  EXPECT_EQ(one.got()[0].bytes, Body("m"));
  EXPECT_EQ(three.got()[0].bytes, Body("m"));
  EXPECT_THAT(two.got()[0].bytes, HasSubstr(keys));
  EXPECT_THAT(two.got()[0].bytes, HasSubstr(Trace({"0/A"})));
  EXPECT_EQ(producer.record().released, 6 + keys.size() + Body("m").size());
}

// --- x-opt-qd.stream

TEST_F(AnnotationsTest, LetATrustedStreamGoAtOnce) {
  World world;
  Peer& trusted = world.Connect({.strip_inbound_annotations = false});
  Consumer consumer = world.Receiver(trusted, "orders");
  Producer producer = world.Sender(trusted, "orders");
  const std::string start = Annotations({Symbol("x-opt-qd.stream"), kOne}) + Body("");
  producer.Send(start.substr(0, 10), {.more = true});
  world.Turn();
  EXPECT_THAT(consumer.got(), IsEmpty()) << "its annotations are not complete";
  producer.More(start.substr(10), {.more = true});
  world.Turn();
  ASSERT_THAT(consumer.got(), SizeIs(1));
  EXPECT_FALSE(consumer.got()[0].complete);
  producer.More("tail");
  world.Turn();
  EXPECT_TRUE(consumer.got()[0].complete);
  EXPECT_EQ(consumer.got()[0].bytes, Body("") + "tail");
  EXPECT_EQ(producer.record().released, start.size() + 4);
}

TEST_F(AnnotationsTest, DoNotHurryAnUntrustedStream) {
  World world;
  Peer& peer = world.Connect();
  Consumer consumer = world.Receiver(peer, "orders");
  Producer producer = world.Sender(peer, "orders");
  producer.Send(Annotations({Symbol("x-opt-qd.stream"), kOne}) + Body("begin"), {.more = true});
  world.Turn();
  EXPECT_THAT(consumer.got(), IsEmpty());
  producer.More("end");
  world.Turn();
  EXPECT_THAT(consumer.got(), SizeIs(1));
}

TEST_F(AnnotationsTest, OfAStreamAreCountedExactlyWhateverIsCutOff) {
  for (const bool strip_out : {true, false}) {
    World world;
    Peer& near = world.Connect({.strip_inbound_annotations = false});
    Peer& far = world.Connect({.strip_outbound_annotations = strip_out});
    far.sink.window = 3;
    Consumer consumer = world.Receiver(far, "orders");
    Producer producer = world.Sender(near, "orders");
    const std::string start = Annotations({Symbol("x-opt-qd.stream"), kOne}) + Body("");
    producer.Send(start, {.more = true});
    producer.More("tail");
    uint64_t before = 0;
    for (int i = 0; i < 100; ++i) {
      world.Turn();
      EXPECT_GE(producer.record().released, before);
      before = producer.record().released;
      EXPECT_LE(before, start.size() + 4);
      if (consumer.got()[0].complete) break;
      EXPECT_LT(before, start.size() + 4);
      far.sink.window = 3;
      world.shard->Resume(far.connection);
    }
    EXPECT_EQ(producer.record().released, start.size() + 4);
  }
}

}  // namespace
}  // namespace trunkline::core
