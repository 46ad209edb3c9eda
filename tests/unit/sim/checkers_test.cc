#include "tests/sim/checkers/checkers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/message.h"

namespace trunkline::sim {
namespace {

using amqp::OutcomeKind;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A ledger with one producer and checkers that watch it, all of them told by hand.
class CheckersTest : public ::testing::Test {
 protected:
  CheckersTest() { producer_.capacity = 10; }

  // Sent as a whole; nobody has settled it.
  Message& Sent(const std::string& address) {
    Message& message = ledger_.AddMessage(producer_);
    EncodedMessage encoded =
        Encode({.id = message.id, .sequence = message.sequence, .body_bytes = 50, .header = true});
    message.address = address;
    message.bytes = encoded.bytes;
    message.bare = encoded.bare;
    message.started = message.complete = true;
    message.started_at = ledger_.Tick();
    return message;
  }
  ConsumerLink& Consumer(const std::string& address, core::ShardId shard = 0) {
    ConsumerLink& consumer = ledger_.AddConsumer();
    consumer.address = address;
    consumer.shard = shard;
    return consumer;
  }
  // As a receiver does it when the first bytes are there.
  Reception& Receive(const ConsumerLink& consumer, Message& message) {
    checkers_.order.OnReceived(consumer, message);
    return message.receptions.emplace_back(Reception{.consumer = consumer.id, .complete = true});
  }
  void Tell(Message& message, OutcomeKind kind, bool settled = true) {
    checkers_.settlement.OnTold(message, kind, settled);
    message.finished |= settled;
  }
  std::string_view BareOf(const Message& message) {
    return std::string_view(message.bytes).substr(message.bare);
  }
  // What was found since the last call has to be one violation, of `checker`, which says `text`.
  void ExpectOne(const std::string& checker, const std::string& text) {
    EXPECT_THAT(verdict_.found(), ElementsAre(AllOf(HasSubstr(checker + ": "), HasSubstr(text))));
  }
  void ExpectNothing() { EXPECT_THAT(verdict_.found(), IsEmpty()); }

  Verdict verdict_;
  Ledger ledger_;
  Checkers checkers_{ledger_, verdict_};
  ProducerLink& producer_ = ledger_.AddProducer();
};

// --- conservation

class ConservationTest : public CheckersTest {
 protected:
  Conservation& conservation_ = checkers_.conservation;
  ConsumerLink& consumer_ = Consumer("work.0");
  Message& message_ = Sent("work.0");
};

TEST_F(ConservationTest, IsContentWithWhatArrivesAsItWasSent) {
  conservation_.OnReceived(consumer_, &message_, {.bare = BareOf(message_), .complete = true});
  Tell(message_, OutcomeKind::kAccepted);
  conservation_.AtRest();
  ExpectNothing();
}

TEST_F(ConservationTest, SeesChangedBytes) {
  std::string bare(BareOf(message_));
  bare.back() ^= 1;
  conservation_.OnReceived(consumer_, &message_, {.bare = bare, .complete = true});
  ExpectOne("conservation", "has other bytes");
}

TEST_F(ConservationTest, SeesMissingBytes) {
  std::string_view bare = BareOf(message_);
  bare.remove_suffix(1);
  conservation_.OnReceived(consumer_, &message_, {.bare = bare, .complete = true});
  ExpectOne("conservation", "bytes instead of");
}

TEST_F(ConservationTest, SeesSurplusBytes) {
  const std::string bare = std::string(BareOf(message_)) + "x";
  conservation_.OnReceived(consumer_, &message_, {.bare = bare, .complete = true});
  ExpectOne("conservation", "bytes instead of");
}

TEST_F(ConservationTest, SeesTheMiddleMissingInWhatWasAborted) {
  std::string bare(BareOf(message_));
  bare.erase(30, 5);
  conservation_.OnReceived(consumer_, &message_, {.bare = bare, .complete = false});
  ExpectOne("conservation", "has other bytes");
}

TEST_F(ConservationTest, IsContentWithTheBeginningOfWhatWasAborted) {
  conservation_.OnReceived(consumer_, &message_,
                           {.bare = BareOf(message_).substr(0, 40), .complete = false});
  conservation_.OnReceived(consumer_, nullptr, {.bare = "", .complete = false});
  ExpectNothing();
}

TEST_F(ConservationTest, SeesWhatNobodySent) {
  conservation_.OnReceived(consumer_, nullptr, {.bare = "what is this", .complete = true});
  ExpectOne("conservation", "that nobody sent");
}

TEST_F(ConservationTest, SeesAnotherAddress) {
  message_.address = "work.1";
  conservation_.OnReceived(consumer_, &message_, {.bare = BareOf(message_), .complete = true});
  ExpectOne("conservation", "has another address");
}

TEST_F(ConservationTest, SeesThatWhatWasAbortedIsComplete) {
  message_.aborted = true;
  conservation_.OnReceived(consumer_, &message_, {.bare = BareOf(message_), .complete = true});
  ExpectOne("conservation", "was aborted by its producer");
}

TEST_F(ConservationTest, SeesThatWhatIsTooLargeIsComplete) {
  message_.oversize = true;
  conservation_.OnReceived(consumer_, &message_, {.bare = BareOf(message_), .complete = false});
  ExpectNothing();
  conservation_.OnReceived(consumer_, &message_, {.bare = BareOf(message_), .complete = true});
  ExpectOne("conservation", "is larger than the router takes");
}

TEST_F(ConservationTest, SeesAMessageThatIsLost) {
  conservation_.AtRest();
  ExpectOne("conservation", "has no end");
}

TEST_F(ConservationTest, SeesAMessageThatIsStuckHalfway) {
  message_.complete = false;
  conservation_.AtRest();
  ExpectOne("conservation", "could not be sent");
}

TEST_F(ConservationTest, AsksNothingForAProducerThatIsGone) {
  producer_.alive = false;
  conservation_.AtRest();
  ExpectNothing();
}

// --- order

TEST_F(CheckersTest, OrderIsContentWithGapsAndWithAnotherConsumerOfAMulticast) {
  const ConsumerLink& one = Consumer("work.0");
  const ConsumerLink& fan = Consumer("fan.0");
  const ConsumerLink& other_fan = Consumer("fan.0");
  Message& first = Sent("work.0");
  Sent("work.0");
  Message& third = Sent("work.0");
  Message& multicast = Sent("fan.0");
  Receive(one, first);
  Receive(one, third);
  Receive(fan, multicast);
  Receive(other_fan, multicast);
  ExpectNothing();
}

TEST_F(CheckersTest, OrderSeesTheFirstBehindTheSecond) {
  const ConsumerLink& consumer = Consumer("work.0");
  Message& first = Sent("work.0");
  Message& second = Sent("work.0");
  Receive(consumer, second);
  Receive(consumer, first);
  ExpectOne("order", "after number 1");
}

TEST_F(CheckersTest, OrderSeesAMulticastTwiceAtOneConsumer) {
  const ConsumerLink& consumer = Consumer("fan.0");
  Message& message = Sent("fan.0");
  Receive(consumer, message);
  Receive(consumer, message);
  ExpectOne("order", "after number 0");
}

TEST_F(CheckersTest, OrderSeesAUnicastAtTwoConsumers) {
  const ConsumerLink& one = Consumer("work.0");
  const ConsumerLink& other = Consumer("work.0");
  Message& message = Sent("work.0");
  Receive(one, message);
  Receive(other, message);
  ExpectOne("order", "came to consumers 0 and 1");
}

// A consumer of shard 1 leaves; the producer's shard learns it with View 2.
class DepartureTest : public CheckersTest {
 protected:
  DepartureTest() {
    Consumer("work.0", 1).alive = false;
    ledger_.AddDeparture(core::MakeKey("work.0", '0', core::LocalIdentity{.router_id = "R"}), 1, 2);
  }
  const ConsumerLink& stays_ = Consumer("work.0");
};

TEST_F(DepartureTest, LetsWhatWasSentBeforeItWasKnownComeBehind) {
  Message& first = Sent("work.0");
  Message& second = Sent("work.0");
  ledger_.Adopted(0, 2);
  Receive(stays_, second);
  Receive(stays_, first);
  ExpectNothing();
}

TEST_F(DepartureTest, KeepsInOrderWhatWasSentAfterItWasKnown) {
  Message& first = Sent("work.0");
  ledger_.Adopted(0, 2);
  Message& second = Sent("work.0");
  Receive(stays_, second);
  Receive(stays_, first);
  ExpectOne("order", "after number 1");
}

TEST_F(DepartureTest, ExcusesNoOtherAddress) {
  const ConsumerLink& other = Consumer("work.1");
  Message& first = Sent("work.1");
  Message& second = Sent("work.1");
  Receive(other, second);
  Receive(other, first);
  ExpectOne("order", "after number 1");
}

TEST_F(DepartureTest, ExcusesNothingThatStaysInTheShardOfTheDeparture) {
  producer_.shard = 1;
  Message& first = Sent("work.0");
  Message& second = Sent("work.0");
  Receive(stays_, second);
  Receive(stays_, first);
  ExpectOne("order", "after number 1");
}

// --- credit

TEST_F(CheckersTest, CreditIsAllowedUpToTheCapacity) {
  checkers_.credit.OnGranted(producer_, 10);
  ExpectNothing();
}

TEST_F(CheckersTest, CreditBeyondTheCapacityIsSeen) {
  checkers_.credit.OnGranted(producer_, 11);
  ExpectOne("credit", "has credit for 11, its capacity is 10");
}

TEST_F(CheckersTest, CreditAtRestCountsWhatIsNotSettled) {
  Sent("work.0");
  Message& settled = Sent("work.0");
  settled.finished = true;
  checkers_.credit.AtRest(producer_, 9, true);
  ExpectNothing();
  checkers_.credit.AtRest(producer_, 10, true);
  ExpectOne("credit", "has credit for 11");
}

TEST_F(CheckersTest, CreditThatDoesNotComeBackIsSeen) {
  checkers_.credit.AtRest(producer_, 6, true);
  ExpectNothing();
  checkers_.credit.AtRest(producer_, 5, true);
  ExpectOne("credit", "has credit for 5 and 0 unsettled");
}

TEST_F(CheckersTest, CreditNeedNotComeWhereNobodyListens) {
  checkers_.credit.AtRest(producer_, 0, false);
  ExpectNothing();
}

}  // namespace
}  // namespace trunkline::sim
