#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "control/config/problem.h"
#include "google/protobuf/message.h"

namespace trunkline::config {

// What a program can act on, beside the code and the text of an error: details as the standard
// messages of google/rpc/error_details.proto. A Status carries them as payloads, so they pass
// through every layer that knows nothing of them; control/api writes them into its answers. Their
// texts may be of certificates, files and peers: what is not UTF-8 in them is replaced (ToUtf8).

// Domain of every ErrorInfo of ours.
inline constexpr std::string_view kErrorDomain = "trunkline.control.v1";

// A field of a request that is not as it must be. `field` is its path in the request,
// "listener.spec.port"; `description` is lower case, without a full stop.
struct FieldViolation {
  std::string field;
  std::string description;
  bool operator==(const FieldViolation&) const = default;
};

// Why something cannot be done now: `type` "IN_USE", `subject` "listeners/amqps".
struct Precondition {
  std::string type;
  std::string subject;
  std::string description;
};

// Each returns `status` with the detail, in place of one of its kind. REQUIRES: not OK.
// ErrorInfo; `reason` is UPPER_SNAKE_CASE.
absl::Status WithReason(absl::Status status, std::string_view reason,
                        const std::map<std::string, std::string>& metadata = {});
// BadRequest.
absl::Status WithViolations(absl::Status status, const std::vector<FieldViolation>& violations);
// PreconditionFailure.
absl::Status WithPreconditions(absl::Status status, const std::vector<Precondition>& failures);
// RetryInfo: after so long it may go well.
absl::Status WithRetry(absl::Status status, int64_t milliseconds);

// What is wrong with a configuration, as a caller of the API is told it: InvalidArgument, or
// FailedPrecondition where all are about the state of things; with their reason if all have the
// same, else INVALID_CONFIGURATION; a violation for each, by the path of the problem. REQUIRES:
// there are some.
absl::Status StatusOf(const std::vector<Problem>& problems);

// The reason of an ErrorInfo; empty: it has none.
std::string ReasonOf(const absl::Status& status);
std::vector<FieldViolation> ViolationsOf(const absl::Status& status);

}  // namespace trunkline::config
