#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/cli/session.h"
#include "google/protobuf/message.h"

namespace trunkline::cli {

// Commands for resources of every kind. InvalidArgument: the command line is wrong; else what the
// router said.

absl::Status Get(Session& session);        // get KIND [ID…]
absl::Status WatchKind(Session& session);  // watch KIND
absl::Status Create(Session& session);     // create KIND ID [FIELD=VALUE…]
absl::Status Set(Session& session);        // set KIND ID FIELD=VALUE…
absl::Status Delete(Session& session);     // delete KIND ID…

// KIND and ID of a command.
struct Target {
  const api::Kind* kind = nullptr;
  std::string name;  // "listeners/amqp"
};
// InvalidArgument: they are missing, or wrong. `usage` is what the command takes.
absl::StatusOr<Target> TargetOf(const Session& session, std::string_view usage);
// "amqp", "listeners/amqp" → "listeners/amqp".
std::string NameFor(const api::Kind& kind, const std::string& word);

// "listeners/amqps changed (impact: rebind)", or "… unchanged"; `change` is the answer of a change.
std::string Done(const Session& session, const std::string& name, std::string_view what,
                 const google::protobuf::Message& change);

void SetFlag(google::protobuf::Message& message, const char* field, bool flag);
// --allow-expired, if it is given. InvalidArgument: such resources have no certificates.
absl::Status ReadAllowExpired(const Session& session, google::protobuf::Message& request);

}  // namespace trunkline::cli
