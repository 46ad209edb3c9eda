#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// A producer in shard 0 and consumers in the shards 1 and 2. The producer's shard sees their
// departure late.
class BounceTest : public testing::Test {
 protected:
  ~BounceTest() override { world_.CheckEnd(); }

  // The first consumer goes while what was sent to it is in the mail.
  void LeaveBeforeItArrives() {
    world_.Between(0, 1).late = false;
    world_.parts[0]->late = true;
    consumer_.Detach();
    world_.Publish();
  }
  void SeeIt() {
    world_.parts[0]->late = false;
    world_.Turn();
  }

  World world_{{.settings = {{.pattern = "fan", .treatment = Treatment::kMulticast},
                             {.pattern = "safe", .fallback = true}},
                .shards = 3}};
  Peer& near_ = world_.Connect();
  Peer& far_ = world_.Connect({}, 1);
  Peer& other_ = world_.Connect({}, 2);
  Consumer consumer_ = world_.Receiver(far_, "orders");
  Producer producer_ = world_.Sender(near_, "orders");
};

TEST_F(BounceTest, SendsWhatComesBackToTheNextConsumerInOrder) {
  world_.Between(0, 1).late = true;
  producer_.Send(Body("1"));
  producer_.Send(Body("2"));
  world_.parts[0]->late = true;
  consumer_.Detach();
  Consumer next = world_.Receiver(other_, "orders");
  world_.Between(0, 1).late = false;
  world_.Carry();
  producer_.Send(Body("3"));
  world_.Turn();
  EXPECT_THAT(next.got(), IsEmpty()) << "it is not known yet";
  SeeIt();
  world_.Turn();
  EXPECT_THAT(next.Texts(), ElementsAre("1", "2", "3"));
  next.AcceptAll();
  EXPECT_THAT(producer_.Outcomes(),
              ElementsAre(OutcomeKind::kAccepted, OutcomeKind::kAccepted, OutcomeKind::kAccepted));
  EXPECT_EQ(producer_.record().credit, 250u);
}

TEST_F(BounceTest, HoldsNewMessagesUntilAllThatMayComeBackHas) {
  Consumer next = world_.Receiver(other_, "orders");
  world_.Between(0, 1).late = true;
  for (int i = 0; i < 4; ++i) producer_.Send(Body(std::to_string(i)));
  world_.Turn();
  const size_t before = next.got().size();
  EXPECT_THAT(next.got(), SizeIs(2)) << "they take turns";
  consumer_.Detach();
  world_.Turn();
  producer_.Send(Body("new"));
  world_.Turn();
  EXPECT_THAT(next.got(), SizeIs(before)) << "the fence is not back";
  world_.Between(0, 1).late = false;
  world_.Turn();
  EXPECT_THAT(next.Texts(), SizeIs(5));
  EXPECT_EQ(next.Texts().back(), "new");
}

TEST_F(BounceTest, GoesOnWhenNothingComesBack) {
  Consumer second = world_.Receiver(far_, "orders");
  world_.Between(1, 0).late = true;
  producer_.Send(Body("1"));
  world_.Turn();
  (consumer_.got().empty() ? consumer_ : second).Detach();
  world_.Turn();
  producer_.Send(Body("2"));
  world_.Turn();
  EXPECT_EQ(consumer_.got().size() + second.got().size(), 1u);
  world_.Between(1, 0).late = false;
  world_.Turn();
  EXPECT_EQ(consumer_.got().size() + second.got().size(), 2u);
}

TEST_F(BounceTest, ReleasesWhatNobodyIsThereFor) {
  world_.Between(0, 1).late = true;
  producer_.Send(Body("1"));
  producer_.Send(Body("2"), {.settled = true});
  LeaveBeforeItArrives();
  EXPECT_THAT(producer_.record().told, IsEmpty());
  SeeIt();
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kReleased));
  EXPECT_EQ(world_.Sum(&ShardStats::dropped_presettled), 1);
  EXPECT_EQ(producer_.record().released, 2 * Body("1").size());
}

TEST_F(BounceTest, GivesUpAfterASecond) {
  world_.now = Time{} + kSecond * 5;
  world_.Turn();
  world_.Between(0, 1).late = true;
  producer_.Send(Body("1"));
  LeaveBeforeItArrives();
  world_.Carry();
  EXPECT_EQ(near_.shard().NextDeadline(), world_.now + kSecond);
  world_.now = world_.now + kSecond - Duration{1};
  world_.Turn();
  EXPECT_THAT(producer_.record().told, IsEmpty());
  world_.now = world_.now + Duration{1};
  world_.Turn();
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kReleased));
  EXPECT_EQ(near_.shard().NextDeadline(), kNever);
}

TEST_F(BounceTest, DoesNotWaitForeverForAFence) {
  Consumer next = world_.Receiver(other_, "orders");
  world_.Between(0, 1).late = true;
  producer_.Send(Body("1"));
  producer_.Send(Body("2"));
  world_.Turn();
  consumer_.Detach();
  world_.Turn();
  producer_.Send(Body("3"));
  world_.now = world_.now + kSecond;
  world_.Turn();
  ASSERT_THAT(next.got(), SizeIs(2));
  EXPECT_EQ(next.Texts().back(), "3");
  // What comes back now is too late to keep its place.
  world_.Between(0, 1).late = false;
  world_.Turn();
  EXPECT_THAT(next.got(), SizeIs(2));
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kReleased));
}

TEST_F(BounceTest, PutsAStreamTogetherAgain) {
  const std::string big = Body(std::string(500'000, 'b'));
  world_.Between(0, 1).late = true;
  producer_.Send(big.substr(0, 150'000), {.more = true});
  producer_.More(big.substr(150'000, 50'000), {.more = true});
  world_.parts[0]->late = true;
  consumer_.Detach();
  Consumer next = world_.Receiver(other_, "orders");
  world_.Between(0, 1).late = false;
  world_.Carry();
  producer_.More(big.substr(200'000, 100'000), {.more = true});
  world_.Between(1, 0).late = true;
  SeeIt();
  producer_.More(big.substr(300'000, 100'000), {.more = true});
  producer_.More(big.substr(400'000));
  world_.Turn();
  EXPECT_THAT(next.got(), IsEmpty());
  world_.Between(1, 0).late = false;
  world_.Turn();
  ASSERT_THAT(next.got(), SizeIs(1));
  EXPECT_EQ(next.got()[0].bytes, big);
  EXPECT_TRUE(next.got()[0].complete);
  next.AcceptAll();
  EXPECT_EQ(producer_.record().released, big.size());
  EXPECT_THAT(producer_.Outcomes(), ElementsAre(OutcomeKind::kAccepted));
}

TEST_F(BounceTest, HoldsAStreamThatSomebodyTookUntilTheFenceIsBack) {
  const std::string big = Body(std::string(300'000, 'b'));
  Consumer second = world_.Receiver(far_, "orders");
  producer_.Send(big.substr(0, 150'000), {.more = true});
  world_.Turn();
  Consumer& taker = consumer_.got().empty() ? second : consumer_;
  world_.Between(1, 0).late = true;
  (consumer_.got().empty() ? consumer_ : second).Detach();
  world_.Turn();
  producer_.More(big.substr(150'000, 50'000), {.more = true});
  producer_.More(big.substr(200'000));
  producer_.Detach();  // all of it has come: it goes on
  world_.Turn();
  ASSERT_THAT(taker.got(), SizeIs(1));
  EXPECT_EQ(taker.got()[0].bytes, big);
  EXPECT_TRUE(taker.got()[0].complete);
  taker.AcceptAll();
}

TEST_F(BounceTest, SaysNothingToAConnectionThatClosesWhileItsLinkIsHeld) {
  producer_.Send(Body(std::string(150'000, 'h')), {.more = true});
  world_.Turn();
  Peer& narrow = world_.Connect({.session_window_bytes = 64 * 1024});
  Producer producer = world_.Sender(narrow, "orders");
  producer.Send(Body(std::string(150'000, 'b')), {.more = true});
  world_.Turn();
  EXPECT_GT(producer.record().released, 150'000u) << "it waits behind the other";
  Consumer second = world_.Receiver(far_, "orders");
  world_.Between(1, 0).late = true;
  second.Detach();
  world_.Turn();
  producer.More(std::string(100'000, 'b'), {.more = true});
  const uint64_t released = producer.record().released;
  world_.Close(narrow);
  EXPECT_EQ(producer.record().released, released);
}

TEST_F(BounceTest, GivesAnnotationsBackAsTheyWere) {
  Peer& router = world_.Connect({.strip_outbound_annotations = false}, 1);
  Consumer first = world_.Receiver(router, "bare");
  Producer to_bare = world_.Sender(near_, "bare");
  world_.Between(0, 1).late = true;
  to_bare.Send(Body("1"));
  world_.parts[0]->late = true;
  first.Detach();
  Consumer next = world_.Receiver(other_, "bare");
  world_.Between(0, 1).late = false;
  world_.Carry();
  SeeIt();
  world_.Turn();
  EXPECT_THAT(next.Texts(), ElementsAre("1"));
}

TEST_F(BounceTest, FencesAnonymousLinksWhoeverLeaves) {
  Producer anywhere = world_.Sender(near_, AttachRequest{});
  // properties{to: "orders"}
  const std::string to("\x00\x53\x73\xc0\x0b\x03\x40\x40\xa1\x06orders", 16);
  world_.Between(0, 1).late = true;
  anywhere.Send(to + Body("1"));
  world_.parts[0]->late = true;
  consumer_.Detach();
  Consumer next = world_.Receiver(other_, "orders");
  world_.Between(0, 1).late = false;
  world_.Carry();
  anywhere.Send(to + Body("2"));
  SeeIt();
  world_.Turn();
  ASSERT_THAT(next.got(), SizeIs(2));
  EXPECT_EQ(next.got()[0].bytes, to + Body("1"));
  EXPECT_EQ(next.got()[1].bytes, to + Body("2"));
}

TEST_F(BounceTest, EndsWhatIsHeldWhenItsProducerLeaves) {
  world_.Between(0, 1).late = true;
  producer_.Send(Body("1"));
  producer_.Send(Body("2").substr(0, 5), {.more = true});
  LeaveBeforeItArrives();
  world_.Carry();
  producer_.Send(Body("3"));
  EXPECT_EQ(world_.Unsettled(), 3u);
  const uint64_t sent = 2 * Body("1").size() + 5;
  producer_.Detach();
  EXPECT_EQ(world_.Unsettled(), 0u);
  EXPECT_EQ(producer_.record().released, sent);
}

TEST_F(BounceTest, DropsWhatComesBackToNobody) {
  world_.Between(0, 1).late = true;
  producer_.Send(Body("1"));
  producer_.Detach();
  LeaveBeforeItArrives();
  world_.Carry();
  EXPECT_EQ(world_.Unsettled(), 0u);
  EXPECT_EQ(world_.Sum(&ShardStats::released), 1);
}

TEST_F(BounceTest, SendsSettledWhatWasSettledWhileItWasAway) {
  world_.Between(0, 1).late = true;
  producer_.Send(Body("1"));
  producer_.Settle(producer_.user);
  world_.parts[0]->late = true;
  consumer_.Detach();
  Consumer next = world_.Receiver(other_, "orders");
  world_.Between(0, 1).late = false;
  world_.Carry();
  SeeIt();
  world_.Turn();
  ASSERT_THAT(next.got(), SizeIs(1));
  EXPECT_TRUE(next.got()[0].settled);
}

TEST_F(BounceTest, AbortsWhatIsAway) {
  producer_.Send(Body(std::string(200'000, 'b')), {.more = true});
  world_.Turn();
  producer_.Abort();
  world_.Turn();
  ASSERT_THAT(consumer_.got(), SizeIs(1));
  EXPECT_TRUE(consumer_.got()[0].aborted);
  EXPECT_EQ(world_.Unsettled(), 0u);
  EXPECT_EQ(far_.shard().stand_ins(), 0u);
}

TEST_F(BounceTest, AbortsWhatCameBack) {
  world_.Between(0, 1).late = true;
  producer_.Send(Body(std::string(200'000, 'b')), {.more = true});
  LeaveBeforeItArrives();
  world_.Carry();
  producer_.Abort();
  SeeIt();
  EXPECT_EQ(world_.Unsettled(), 0u);
  EXPECT_THAT(producer_.record().told, IsEmpty());
}

TEST_F(BounceTest, SendsAMulticastToThoseThatAreThere) {
  Consumer one = world_.Receiver(far_, "fan");
  Consumer two = world_.Receiver(far_, "fan");
  Consumer three = world_.Receiver(other_, "fan");
  Producer to_fan = world_.Sender(near_, "fan");
  world_.Between(0, 1).late = true;
  to_fan.Send(Body("m"));
  world_.parts[0]->late = true;
  one.Detach();
  world_.Between(0, 1).late = false;
  world_.Turn();
  EXPECT_THAT(two.Texts(), ElementsAre("m"));
  EXPECT_THAT(three.Texts(), ElementsAre("m"));
  two.AcceptAll();
  EXPECT_THAT(to_fan.record().told, IsEmpty());
  three.AcceptAll();
  EXPECT_THAT(to_fan.Outcomes(), ElementsAre(OutcomeKind::kAccepted));
}

TEST_F(BounceTest, ReleasesAMulticastThatNobodyIsThereFor) {
  Consumer one = world_.Receiver(far_, "fan");
  Producer to_fan = world_.Sender(near_, "fan");
  world_.Between(0, 1).late = true;
  const std::string big = Body(std::string(300'000, 'b'));
  to_fan.Send(big.substr(0, 200'000), {.more = true});
  to_fan.More(big.substr(200'000, 50'000), {.more = true});
  world_.parts[0]->late = true;
  one.Detach();
  world_.Between(0, 1).late = false;
  world_.Turn();
  to_fan.More(big.substr(250'000));
  EXPECT_THAT(to_fan.Outcomes(), ElementsAre(OutcomeKind::kReleased));
  EXPECT_EQ(to_fan.record().released, big.size());
  EXPECT_EQ(to_fan.record().credit, 250u);
}

}  // namespace
}  // namespace trunkline::core
