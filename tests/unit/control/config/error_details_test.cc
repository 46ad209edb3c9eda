#include "control/config/error_details.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/google/rpc/error_details.pb.h"

namespace trunkline::config {
namespace {

using ::testing::IsEmpty;

template <typename Detail>
Detail Payload(const absl::Status& status) {
  Detail detail;
  const auto bytes =
      status.GetPayload("type.googleapis.com/" + std::string(Detail::descriptor()->full_name()));
  EXPECT_TRUE(bytes && detail.ParseFromString(std::string(*bytes))) << status;
  return detail;
}

TEST(ErrorDetails, TellTheReasonInOurDomain) {
  const absl::Status status =
      WithReason(absl::AbortedError("it changed"), "ETAG_MISMATCH", {{"current_etag", "7"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status.message(), "it changed");
  EXPECT_EQ(ReasonOf(status), "ETAG_MISMATCH");
  const auto info = Payload<google::rpc::ErrorInfo>(status);
  EXPECT_EQ(info.domain(), "trunkline.control.v1");
  EXPECT_EQ(info.metadata().at("current_etag"), "7");
}

TEST(ErrorDetails, NameTheFields) {
  const std::vector<FieldViolation> violations = {{"listener.spec.port", "70000 is too much"},
                                                  {"listener.spec.host", "is no name"}};
  const absl::Status status = WithViolations(absl::InvalidArgumentError("bad"), violations);
  EXPECT_EQ(ViolationsOf(status), violations);
  EXPECT_EQ(Payload<google::rpc::BadRequest>(status).field_violations(1).field(),
            "listener.spec.host");
}

TEST(ErrorDetails, StandBesideEachOtherAndReplaceTheirOwnKind) {
  absl::Status status = absl::FailedPreconditionError("in use");
  status = WithReason(std::move(status), "FIRST", {{"a", "1"}});
  status = WithPreconditions(std::move(status), {{"IN_USE", "listeners/amqps", "uses it"}});
  status = WithReason(std::move(status), "SECOND");
  EXPECT_EQ(ReasonOf(status), "SECOND");
  EXPECT_EQ(Payload<google::rpc::ErrorInfo>(status).metadata_size(), 0);
  const auto failure = Payload<google::rpc::PreconditionFailure>(status);
  ASSERT_EQ(failure.violations_size(), 1);
  EXPECT_EQ(failure.violations(0).type(), "IN_USE");
  EXPECT_EQ(failure.violations(0).subject(), "listeners/amqps");
  EXPECT_EQ(failure.violations(0).description(), "uses it");
}

TEST(ErrorDetails, SayWhenToTryAgain) {
  const absl::Status status = WithRetry(absl::UnavailableError("later"), 2500);
  const auto delay = Payload<google::rpc::RetryInfo>(status).retry_delay();
  EXPECT_EQ(delay.seconds(), 2);
  EXPECT_EQ(delay.nanos(), 500'000'000);
}

TEST(ErrorDetails, OfProblemsNameEachField) {
  const absl::Status status =
      StatusOf({{{}, "listeners[a].port", "70000 is too much"}, {{}, "router.id", "no"}});
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(), "listeners[a].port: 70000 is too much; router.id: no");
  EXPECT_EQ(ReasonOf(status), "INVALID_CONFIGURATION");
  EXPECT_EQ(ViolationsOf(status),
            (std::vector<FieldViolation>{{"listeners[a].port", "70000 is too much"},
                                         {"router.id", "no"}}));
}

TEST(ErrorDetails, OfProblemsThatAreAboutTheStateOfThingsSaySo) {
  const Problem taken = {{}, "listeners[a].port", "is taken", "PORT_IN_USE"};
  EXPECT_TRUE(absl::IsFailedPrecondition(StatusOf({taken, taken})));
  EXPECT_EQ(ReasonOf(StatusOf({taken})), "PORT_IN_USE");
  EXPECT_EQ(ReasonOf(StatusOf({taken, {{}, "router.id", "no"}})), "INVALID_CONFIGURATION");
  const Problem wrong = {
      {}, "tls_profiles[a].private_key_file", "is another's", "KEY_MISMATCH", true};
  EXPECT_TRUE(absl::IsInvalidArgument(StatusOf({wrong, wrong})));
  EXPECT_EQ(ReasonOf(StatusOf({wrong, wrong})), "KEY_MISMATCH");
  EXPECT_EQ(ReasonOf(StatusOf({wrong, taken})), "INVALID_CONFIGURATION");
}

TEST(ErrorDetails, AreUtf8WhateverTheyTellOf) {
  absl::Status status = WithReason(absl::InternalError("x"), "R", {{"peer", "a\xff"}});
  status = WithPreconditions(WithViolations(std::move(status), {{"f", "\xff"}}),
                             {{"IN_USE", "s", "\xff!"}});
  EXPECT_EQ(Payload<google::rpc::ErrorInfo>(status).metadata().at("peer"), "a\uFFFD");
  EXPECT_EQ(ViolationsOf(status).at(0).description, "\uFFFD");
  EXPECT_EQ(Payload<google::rpc::PreconditionFailure>(status).violations(0).description(),
            "\uFFFD!");
}

TEST(ErrorDetails, AreEmptyWhereThereAreNone) {
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), "");
  EXPECT_THAT(ViolationsOf(absl::InternalError("x")), IsEmpty());
  EXPECT_EQ(ReasonOf(absl::OkStatus()), "");
}

TEST(ErrorDetails, OfBytesThatAreNoneAreNone) {
  absl::Status status = absl::InternalError("x");
  status.SetPayload("type.googleapis.com/google.rpc.ErrorInfo", absl::Cord("\xff\xff"));
  EXPECT_EQ(ReasonOf(status), "");
}

}  // namespace
}  // namespace trunkline::config
