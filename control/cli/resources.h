#pragma once

#include "absl/status/status.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// Commands for resources of every kind. InvalidArgument: the command line is wrong; else what the
// router said.

absl::Status Get(Session& session);     // get KIND [ID…]
absl::Status Create(Session& session);  // create KIND ID [FIELD=VALUE…]
absl::Status Set(Session& session);     // set KIND ID FIELD=VALUE…
absl::Status Delete(Session& session);  // delete KIND ID…

}  // namespace trunkline::cli
