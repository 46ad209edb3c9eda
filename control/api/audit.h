#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "control/api/call.h"
#include "google/protobuf/message.h"

namespace trunkline::api {

// One log line for each call that changes something: who, what, and how it went. Nothing of a spec
// is in it, so no secret either.

// The resource that a request is about: its `name`, that of the resource in it, or the id that it
// shall have. Empty: none of these, or the request names none.
std::string SubjectOf(const google::protobuf::Message& request);
// The etag of a message, or of the first message in it that has one. Empty: there is none.
std::string EtagIn(const google::protobuf::Message& message);

// `etag` is that in the answer.
void Audit(const Call& call, const std::string& etag, const absl::Status& status);

// One that was not let in. Any thread.
void AuditRefused(const Caller& caller, std::string_view path, const absl::Status& status);

}  // namespace trunkline::api
