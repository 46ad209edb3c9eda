#pragma once

#include "absl/status/status.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// What is wrong with a router, and the way out.

absl::Status Doctor(Session& session);  // doctor

}  // namespace trunkline::cli
