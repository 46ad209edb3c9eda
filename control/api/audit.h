#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "control/api/call.h"
#include "google/protobuf/message.h"
#include "proto/trunkline/control/v1/router_service.pb.h"

namespace trunkline::api {

// One log line for each call that changes something: who, what, and how it went. Nothing of a spec
// is in it, so no secret either.

// The resource that a request is about: its `name`, that of the resource in it, or the id that it
// shall have. Empty: none of these, or the request names none.
std::string SubjectOf(const google::protobuf::Message& request);
// The etag of a message, or of the first message in it that has one. Empty: there is none.
std::string EtagIn(const google::protobuf::Message& message);

// What an answer to ApplyConfig says of its resources.
struct BundleOutcome {
  std::string names;    // of the first that are changed or refused, "addresses/a listeners/b"
  std::string changes;  // how many: "2 created, 1 refused"; nothing was done if one is refused
  absl::Status status;  // why the first of them is refused; OK: none is
};
BundleOutcome OutcomeOf(const v1::ApplyConfigResponse& reply);

// `reply` is null: there is none.
void Audit(const Call& call, const google::protobuf::Message* reply, const absl::Status& status);

// One that was not let in. Any thread.
void AuditRefused(const Caller& caller, std::string_view path, const absl::Status& status);

}  // namespace trunkline::api
