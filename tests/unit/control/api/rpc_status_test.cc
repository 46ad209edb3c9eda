#include "control/api/rpc_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/error_details.h"
#include "proto/google/rpc/error_details.pb.h"

namespace trunkline::api {
namespace {

template <typename Detail>
Detail In(const google::rpc::Status& status) {
  Detail detail;
  for (const auto& any : status.details()) {
    if (any.Is<Detail>()) any.UnpackTo(&detail);
  }
  return detail;
}

TEST(RpcStatus, OkIsEmpty) { EXPECT_EQ(ToRpcStatus(absl::OkStatus()).ByteSizeLong(), 0u); }

TEST(RpcStatus, HasTheCodesOfGrpc) {
  const auto status = ToRpcStatus(absl::FailedPreconditionError("port: taken"));
  EXPECT_EQ(status.code(), 9);
  EXPECT_EQ(status.message(), "port: taken");
}

TEST(RpcStatus, IsUtf8) {
  EXPECT_EQ(ToRpcStatus(absl::UnavailableError("peer: \xff")).message(), "peer: \uFFFD");
}

TEST(RpcStatus, EveryErrorHasAReason) {
  for (int code = 1; code <= 16; ++code) {
    const auto status = ToRpcStatus(absl::Status(static_cast<absl::StatusCode>(code), "x"));
    ASSERT_EQ(status.details_size(), 1);
    const auto info = In<google::rpc::ErrorInfo>(status);
    EXPECT_EQ(info.domain(), "trunkline.control.v1");
    EXPECT_EQ(info.reason(), absl::StatusCodeToString(static_cast<absl::StatusCode>(code)));
  }
}

TEST(RpcStatus, TakesTheDetailsAlongAndTheReasonFirst) {
  absl::Status error = config::WithRetry(absl::UnavailableError("x"), 1500);
  error = config::WithReason(config::WithViolations(error, {{"a.b", "is wrong"}}), "WHY");
  error.SetPayload("somebody.else/x", absl::Cord("not for clients"));
  const auto status = ToRpcStatus(error);
  ASSERT_EQ(status.details_size(), 3);
  EXPECT_EQ(status.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  EXPECT_EQ(In<google::rpc::ErrorInfo>(status).reason(), "WHY");
  EXPECT_EQ(In<google::rpc::BadRequest>(status).field_violations(0).field(), "a.b");
  EXPECT_EQ(In<google::rpc::RetryInfo>(status).retry_delay().nanos(), 500'000'000);
}

TEST(RpcStatus, FitsIntoWhatClientsTake) {
  std::vector<config::FieldViolation> violations(500, {"listener.spec.port", "is not in 0..65535"});
  std::vector<config::Precondition> failures(500, {"IN_USE", "listeners/amqp", "names it"});
  const auto status = ToRpcStatus(config::WithReason(
      config::WithPreconditions(
          config::WithViolations(absl::InvalidArgumentError(std::string(5000, 'x')), violations),
          failures),
      "WHY"));
  EXPECT_LE(status.ByteSizeLong(), kRpcStatusBytesMax);
  EXPECT_LE(status.message().size(), kRpcMessageBytesMax + 3);
  EXPECT_EQ(In<google::rpc::ErrorInfo>(status).reason(), "WHY");
  const size_t told = In<google::rpc::BadRequest>(status).field_violations_size() +
                      In<google::rpc::PreconditionFailure>(status).violations_size();
  EXPECT_GT(told, 20u);
}

TEST(RpcStatus, LeavesOutWhatIsTooLargeForItself) {
  const auto status = ToRpcStatus(
      config::WithRetry(config::WithReason(absl::InternalError("x"), "WHY",
                                           {{"k", std::string(kRpcStatusBytesMax, 'v')}}),
                        1));
  EXPECT_LE(status.ByteSizeLong(), kRpcStatusBytesMax);
  ASSERT_EQ(status.details_size(), 1);
  EXPECT_TRUE(status.details(0).Is<google::rpc::RetryInfo>());
}

}  // namespace
}  // namespace trunkline::api
