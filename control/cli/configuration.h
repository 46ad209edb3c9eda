#pragma once

#include "absl/status/status.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// Commands for the configuration as a text.

absl::Status ShowConfig(Session& session);   // config show
absl::Status CheckConfig(Session& session);  // config check FILE
// config diff FILE. FailedPrecondition without a text: something differs.
absl::Status DiffConfig(Session& session);

}  // namespace trunkline::cli
