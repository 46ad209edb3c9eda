#pragma once

#include "absl/status/status.h"
#include "control/cli/session.h"

namespace trunkline::cli {

absl::Status Edit(Session& session);  // edit KIND ID

}  // namespace trunkline::cli
