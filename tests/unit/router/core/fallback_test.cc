#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/router/core/shard_world.h"

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class FallbackTest : public testing::Test {
 protected:
  Consumer Fallback(Peer& peer, uint32_t credit = 100) {
    return world_.Receiver(peer, {.address = "safe", .fallback = true}, credit);
  }

  World world_{{.settings = {{.pattern = "safe", .fallback = true}}}};
  Peer& peer_ = world_.Connect();
};

TEST_F(FallbackTest, GivesCreditWhenEitherIsThere) {
  Producer producer = world_.Sender(peer_, "safe");
  EXPECT_EQ(producer.record().granted, 0u);
  Consumer fallback = Fallback(peer_);
  EXPECT_EQ(producer.record().granted, 250u);
  Consumer normal = world_.Receiver(peer_, "safe");
  fallback.Detach();
  world_.Turn();
  producer.Send(Body("m"));
  normal.AcceptAll();
  EXPECT_EQ(producer.record().drains, 0);
}

TEST_F(FallbackTest, GetsWhatFindsNoOtherConsumer) {
  Consumer normal = world_.Receiver(peer_, "safe");
  Consumer fallback = Fallback(peer_);
  Producer producer = world_.Sender(peer_, "safe");
  producer.Send(Body("1"));
  world_.Turn();
  EXPECT_THAT(fallback.got(), IsEmpty());
  normal.Detach();
  producer.Send(Body("2"));
  world_.Turn();
  EXPECT_THAT(fallback.Texts(), ElementsAre("2")) << "also while the table still names the other";
  producer.Send(Body("3"));
  world_.Turn();
  EXPECT_THAT(fallback.Texts(), ElementsAre("2", "3"));
  fallback.AcceptAll();
  EXPECT_THAT(producer.Outcomes(),
              ElementsAre(OutcomeKind::kModified, OutcomeKind::kAccepted, OutcomeKind::kAccepted));
  EXPECT_EQ(world_.shard->stats().redirected_fallback.Get(), 2u);
}

TEST_F(FallbackTest, DoesNotTakeWhatWaitsForCredit) {
  Consumer normal = world_.Receiver(peer_, "safe", 0);
  Consumer fallback = Fallback(peer_);
  Producer producer = world_.Sender(peer_, "safe");
  producer.Send(Body("1"));
  world_.Turn();
  EXPECT_THAT(fallback.got(), IsEmpty());
  normal.Detach();
  world_.Turn();
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kReleased));
  EXPECT_THAT(fallback.got(), IsEmpty());
}

TEST_F(FallbackTest, TakesAnonymousMessagesToo) {
  Consumer fallback = Fallback(peer_);
  Producer producer = world_.Sender(peer_, AttachRequest{});
  producer.Send(std::string("\x00\x53\x73\xc0\x09\x03\x40\x40\xa1\x04safe", 14) + Body("m"));
  world_.Turn();
  EXPECT_THAT(fallback.got(), SizeIs(1));
}

TEST_F(FallbackTest, IsTheEndWhenNobodyIsThere) {
  Consumer fallback = Fallback(peer_);
  Producer producer = world_.Sender(peer_, "safe");
  fallback.Detach();
  world_.Turn();
  producer.Send(Body("m"));
  EXPECT_THAT(producer.Outcomes(), ElementsAre(OutcomeKind::kReleased));
  EXPECT_EQ(producer.record().drains, 1);
  Fallback(peer_);
  EXPECT_EQ(producer.record().credit, 250u);
}

TEST_F(FallbackTest, TellsThePhaseToWhoMaySeeIt) {
  Peer& curious = world_.Connect({.strip_outbound_annotations = false});
  Consumer fallback = Fallback(curious);
  world_.Sender(peer_, "safe").Send(Body("m"));
  world_.Turn();
  ASSERT_THAT(fallback.got(), SizeIs(1));
  EXPECT_THAT(fallback.got()[0].bytes, HasSubstr(std::string("x-opt-qd.phase\x54\x16")));
  EXPECT_THAT(fallback.got()[0].bytes, HasSubstr("x-opt-qd.to\xa1\x04safe"));
}

TEST_F(FallbackTest, NeedsToBeEnabled) {
  Consumer fallback = world_.Receiver(peer_, {.address = "other", .fallback = true});
  Producer producer = world_.Sender(peer_, "other");
  EXPECT_EQ(producer.record().granted, 0u);
  producer.Send(Body("m"));
  world_.Turn();
  EXPECT_THAT(fallback.got(), IsEmpty());
}

}  // namespace
}  // namespace trunkline::core
