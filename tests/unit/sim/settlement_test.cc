#include "tests/sim/checkers/settlement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace trunkline::sim {
namespace {

using amqp::OutcomeKind;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One producer, one message, and what everybody says about it.
class SettlementTest : public ::testing::Test {
 protected:
  void SendTo(const std::string& address) {
    message_.address = address;
    message_.started = message_.complete = true;
  }
  ConsumerLink& Consumer() {
    ConsumerLink& consumer = ledger_.AddConsumer();
    consumer.address = message_.address;
    return consumer;
  }
  ConsumerLink& ConsumerSays(OutcomeKind kind) {
    ConsumerLink& consumer = Consumer();
    message_.receptions.push_back({.consumer = consumer.id, .complete = true, .said = kind});
    return consumer;
  }
  void Tell(OutcomeKind kind, bool settled = true) {
    settlement_.OnTold(message_, kind, settled);
    message_.finished |= settled;
  }
  // One violation, which says `text`.
  void ExpectOne(const std::string& text) {
    EXPECT_THAT(verdict_.found(), ElementsAre(AllOf(HasSubstr("settlement: "), HasSubstr(text))));
  }
  void ExpectNothing() { EXPECT_THAT(verdict_.found(), IsEmpty()); }

  Verdict verdict_;
  Ledger ledger_;
  Settlement settlement_{ledger_, verdict_};
  Message& message_ = ledger_.AddMessage(ledger_.AddProducer());
};

// --- what a producer is told

TEST_F(SettlementTest, TellsOneOutcomeAndThenThatItIsSettled) {
  SendTo("work.0");
  Tell(OutcomeKind::kReceived, false);
  Tell(OutcomeKind::kAccepted, false);
  Tell(OutcomeKind::kAccepted, true);
  ExpectNothing();
}

TEST_F(SettlementTest, SeesThatItIsSettledTwice) {
  SendTo("work.0");
  Tell(OutcomeKind::kAccepted);
  Tell(OutcomeKind::kAccepted);
  ExpectOne("after it was settled");
}

TEST_F(SettlementTest, SeesAWordOnWhatWasSentSettled) {
  SendTo("work.0");
  message_.presettled = true;
  Tell(OutcomeKind::kReceived, false);
  ExpectOne("after it was settled");
}

TEST_F(SettlementTest, SeesAnotherOutcome) {
  SendTo("work.0");
  Tell(OutcomeKind::kAccepted, false);
  Tell(OutcomeKind::kReleased, true);
  ExpectOne("was told outcome");
}

TEST_F(SettlementTest, SeesASettlementWithoutOutcome) {
  SendTo("work.0");
  Tell(OutcomeKind::kNone);
  ExpectOne("was settled without outcome");
}

// --- what the router counts

TEST_F(SettlementTest, CountsEachOutcomeOnce) {
  SendTo("work.0");
  Tell(OutcomeKind::kAccepted);
  settlement_.CountedAtRest(1);
  ExpectNothing();
  settlement_.CountedAtRest(2);
  ExpectOne("2 outcomes are counted, producers were told 1 and maybe 0 more");
}

TEST_F(SettlementTest, SeesAnOutcomeThatDoesNotCount) {
  SendTo("work.0");
  Tell(OutcomeKind::kAccepted);
  settlement_.CountedAtRest(0);
  ExpectOne("0 outcomes are counted, producers were told 1");
}

TEST_F(SettlementTest, MayCountWhatAProducerDidNotWaitFor) {
  SendTo("work.0");
  message_.settled_early = true;
  settlement_.CountedAtRest(0);
  settlement_.CountedAtRest(1);
  ExpectNothing();
  settlement_.CountedAtRest(2);
  ExpectOne("2 outcomes are counted, producers were told 0 and maybe 1 more");
}

// --- what its consumer said

TEST_F(SettlementTest, PassesOnWhatTheConsumerSaid) {
  for (const OutcomeKind kind : {OutcomeKind::kAccepted, OutcomeKind::kRejected,
                                 OutcomeKind::kReleased, OutcomeKind::kModified}) {
    message_ = {};
    SendTo("work.0");
    ConsumerSays(kind);
    Tell(kind);
    settlement_.AtRest();
  }
  ExpectNothing();
}

TEST_F(SettlementTest, SeesAnotherOutcomeThanTheConsumers) {
  SendTo("work.0");
  ConsumerSays(OutcomeKind::kRejected);
  Tell(OutcomeKind::kAccepted);
  settlement_.AtRest();
  ExpectOne("but consumer 0 said");
}

TEST_F(SettlementTest, SeesThatNobodyReceivedWhatIsAccepted) {
  SendTo("work.0");
  Consumer();
  Tell(OutcomeKind::kAccepted);
  settlement_.AtRest();
  ExpectOne("but nobody received it");
}

TEST_F(SettlementTest, LetsTheRouterRelease) {
  SendTo("work.0");
  Tell(OutcomeKind::kReleased);
  settlement_.AtRest();
  ExpectNothing();
}

TEST_F(SettlementTest, LetsTheRouterReportFailureOnlyIfTheConsumerIsGone) {
  SendTo("work.0");
  ConsumerLink& consumer = ConsumerSays(OutcomeKind::kNone);
  consumer.alive = false;
  Tell(OutcomeKind::kModified);
  settlement_.AtRest();
  ExpectNothing();
  consumer.alive = true;
  settlement_.AtRest();
  ExpectOne("but consumer 0 said");
}

TEST_F(SettlementTest, LetsTheRouterAcceptForThoseWhoWantSettledDeliveries) {
  SendTo("work.0");
  ConsumerSays(OutcomeKind::kNone).settled_mode = true;
  Tell(OutcomeKind::kAccepted);
  settlement_.AtRest();
  ExpectNothing();
}

TEST_F(SettlementTest, LetsTheRouterRejectOnlyWhatIsTooLarge) {
  SendTo("work.0");
  message_.oversize = true;
  Tell(OutcomeKind::kRejected);
  settlement_.AtRest();
  ExpectNothing();
  message_.oversize = false;
  settlement_.AtRest();
  ExpectOne("but nobody received it");
}

// --- what the consumers of a multicast said

TEST_F(SettlementTest, TellsTheStrongestOfAMulticast) {
  SendTo("fan.0");
  ConsumerSays(OutcomeKind::kReleased);
  ConsumerSays(OutcomeKind::kAccepted);
  ConsumerSays(OutcomeKind::kModified);
  Tell(OutcomeKind::kAccepted);
  settlement_.AtRest();
  ExpectNothing();
}

TEST_F(SettlementTest, SeesAStrongerOneThanTold) {
  SendTo("fan.0");
  ConsumerSays(OutcomeKind::kAccepted);
  ConsumerSays(OutcomeKind::kRejected);
  Tell(OutcomeKind::kAccepted);
  settlement_.AtRest();
  ExpectOne("a consumer said a stronger one");
}

TEST_F(SettlementTest, SeesWhatNoConsumerOfAMulticastSaid) {
  SendTo("fan.0");
  ConsumerSays(OutcomeKind::kReleased);
  ConsumerSays(OutcomeKind::kModified);
  Tell(OutcomeKind::kAccepted);
  settlement_.AtRest();
  ExpectOne("but no consumer said so");
}

TEST_F(SettlementTest, DoesNotAskThoseWhoLeftAMulticast) {
  SendTo("fan.0");
  ConsumerSays(OutcomeKind::kAccepted);
  ConsumerSays(OutcomeKind::kRejected).alive = false;
  Tell(OutcomeKind::kAccepted);
  settlement_.AtRest();
  ExpectNothing();
}

}  // namespace
}  // namespace trunkline::sim
