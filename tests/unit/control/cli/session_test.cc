#include "control/cli/session.h"

#include <gtest/gtest.h>

#include "control/config/error_details.h"

namespace trunkline::cli {
namespace {

int StatusFor(const absl::Status& status, std::string_view reason) {
  return ExitStatusOf(reason.empty() ? status : config::WithReason(status, reason));
}

TEST(ExitStatus, IsUnreachableWhereNobodyAnswers) {
  for (const absl::Status& status :
       {absl::UnavailableError("no answer"), absl::DeadlineExceededError("no answer")}) {
    EXPECT_EQ(StatusFor(status, ""), 6);
    EXPECT_EQ(StatusFor(status, "STOPPING"), 6);
    EXPECT_EQ(StatusFor(status, "amqp:connection:forced"), 6);
  }
}

TEST(ExitStatus, IsFailedWhereTheRouterItselfSaysNo) {
  EXPECT_EQ(StatusFor(absl::UnavailableError("the disk is full"), "STATE_NOT_WRITTEN"), 1);
  EXPECT_EQ(StatusFor(absl::DeadlineExceededError("took too long"), "CALL_LIMIT"), 1);
}

}  // namespace
}  // namespace trunkline::cli
