#pragma once

#include "absl/status/status.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// Commands that tell what is going on, as it goes on.

absl::Status Events(Session& session);      // events
absl::Status Logs(Session& session);        // logs
absl::Status Tap(Session& session);         // tap [ADDRESS]
absl::Status Frames(Session& session);      // trace OWNER|CONNECTION
absl::Status ListLevels(Session& session);  // log-level list
absl::Status SetLevel(Session& session);    // log-level set MODULE LEVEL

}  // namespace trunkline::cli
