#include "control/config/error_details.h"

#include <algorithm>
#include <optional>

#include "control/config/characters.h"
#include "control/config/text.h"
#include "proto/google/rpc/error_details.pb.h"
#include "router/base/check.h"

namespace trunkline::config {
namespace {

// The name under which a Status keeps a detail: the type URL that it has in a google.protobuf.Any.
std::string UrlOf(const google::protobuf::Message& detail) {
  return Concat("type.googleapis.com/", detail.GetDescriptor()->full_name());
}

absl::Status With(absl::Status status, const google::protobuf::Message& detail) {
  TL_CHECK(!status.ok()) << "details of what is OK: " << detail.ShortDebugString();
  status.SetPayload(UrlOf(detail), absl::Cord(detail.SerializeAsString()));
  return status;
}

template <typename Detail>
std::optional<Detail> Find(const absl::Status& status) {
  Detail detail;
  const auto payload = status.GetPayload(UrlOf(detail));
  if (!payload || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

}  // namespace

absl::Status WithReason(absl::Status status, std::string_view reason,
                        const std::map<std::string, std::string>& metadata) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kErrorDomain));
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[key] = ToUtf8(value);
  return With(std::move(status), info);
}

absl::Status WithViolations(absl::Status status, const std::vector<FieldViolation>& violations) {
  google::rpc::BadRequest request;
  for (const FieldViolation& violation : violations) {
    auto& added = *request.add_field_violations();
    added.set_field(violation.field);
    added.set_description(ToUtf8(violation.description));
  }
  return With(std::move(status), request);
}

absl::Status WithPreconditions(absl::Status status, const std::vector<Precondition>& failures) {
  google::rpc::PreconditionFailure failure;
  for (const Precondition& each : failures) {
    auto& added = *failure.add_violations();
    added.set_type(each.type);
    added.set_subject(each.subject);
    added.set_description(ToUtf8(each.description));
  }
  return With(std::move(status), failure);
}

absl::Status WithRetry(absl::Status status, int64_t milliseconds) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(milliseconds / 1000);
  retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(milliseconds % 1000) * 1'000'000);
  return With(std::move(status), retry);
}

absl::Status StatusOf(const std::vector<Problem>& problems) {
  TL_CHECK(!problems.empty()) << "nothing is wrong";
  const std::string& reason = problems.front().reason;
  const bool has_reason =
      !reason.empty() && std::all_of(problems.begin(), problems.end(),
                                     [&](const Problem& each) { return each.reason == reason; });
  const bool is_state = has_reason && !problems.front().of_value;
  std::vector<FieldViolation> violations;
  std::string text;
  for (const Problem& each : problems) {
    violations.push_back({each.path, each.text});
    absl::StrAppend(&text, text.empty() ? "" : "; ", each.path, ": ", each.text);
  }
  absl::Status status =
      is_state ? absl::FailedPreconditionError(text) : absl::InvalidArgumentError(text);
  status = WithReason(std::move(status), has_reason ? reason : "INVALID_CONFIGURATION");
  return WithViolations(std::move(status), violations);
}

std::string ReasonOf(const absl::Status& status) {
  const auto info = Find<google::rpc::ErrorInfo>(status);
  return info ? info->reason() : "";
}

std::vector<FieldViolation> ViolationsOf(const absl::Status& status) {
  std::vector<FieldViolation> violations;
  const auto request = Find<google::rpc::BadRequest>(status);
  if (!request) return violations;
  for (const auto& each : request->field_violations()) {
    violations.push_back({each.field(), each.description()});
  }
  return violations;
}

}  // namespace trunkline::config
