#include "router/core/settle.h"

#include <gtest/gtest.h>

#include <string>

namespace trunkline::core {
namespace {

using amqp::OutcomeKind;

TEST(Settle, OrdersTheOutcomesOfAMulticast) {
  const OutcomeKind order[] = {OutcomeKind::kRejected, OutcomeKind::kAccepted,
                               OutcomeKind::kModified, OutcomeKind::kReleased, OutcomeKind::kNone};
  for (size_t strong = 0; strong < 5; ++strong) {
    for (size_t weak = strong; weak < 5; ++weak) {
      EXPECT_EQ(Stronger(order[strong], order[weak]), order[strong]);
      EXPECT_EQ(Stronger(order[weak], order[strong]), order[strong]);
    }
  }
}

TEST(Settle, TakesDeclaredForARejection) {
  EXPECT_EQ(MeaningOf(OutcomeKind::kDeclared), OutcomeKind::kRejected);
  EXPECT_EQ(MeaningOf(OutcomeKind::kModified), OutcomeKind::kModified);
  EXPECT_EQ(ForProducer({.kind = OutcomeKind::kDeclared, .raw = "x"}),
            (amqp::Outcome{.kind = OutcomeKind::kRejected, .raw = ""}));
}

TEST(Settle, PassesStatesThatMeanSomethingToAProducer) {
  for (const OutcomeKind kind :
       {OutcomeKind::kReceived, OutcomeKind::kAccepted, OutcomeKind::kRejected,
        OutcomeKind::kReleased, OutcomeKind::kModified, OutcomeKind::kUnknown}) {
    EXPECT_TRUE(PassesUnsettled(kind));
  }
  EXPECT_FALSE(PassesUnsettled(OutcomeKind::kNone));
  EXPECT_FALSE(PassesUnsettled(OutcomeKind::kTransactional));
}

TEST(Settle, PassesTheBytesOfAStateUnchangedButForModified) {
  const amqp::Outcome rejected{.kind = OutcomeKind::kRejected, .raw = "as it came"};
  EXPECT_EQ(ForProducer(rejected), rejected);
  EXPECT_EQ(ForProducer({.kind = OutcomeKind::kModified, .raw = ""}), ModifiedFailedOutcome());
  EXPECT_EQ(ForProducer({.kind = OutcomeKind::kTransactional, .raw = "x"}), amqp::Outcome{});
}

TEST(Settle, MakesRejectionsWithTheirReason) {
  const amqp::Outcome outcome = RejectedOutcome("amqp:decode-error", "invalid message format");
  EXPECT_EQ(outcome.kind, OutcomeKind::kRejected);
  EXPECT_NE(outcome.raw.find("amqp:decode-error"), std::string::npos);
  EXPECT_NE(outcome.raw.find("invalid message format"), std::string::npos);
}

}  // namespace
}  // namespace trunkline::core
