#pragma once

#include <string>

#include "absl/status/status.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// Commands for the router as a whole.

absl::Status Status(Session& session);
absl::Status DrainRouter(Session& session);
absl::Status Shutdown(Session& session);
absl::Status Version(Session& session);

std::string OwnVersion();  // "trunkctl 1.0.0", a line

}  // namespace trunkline::cli
