#pragma once

#include <string>

#include "absl/status/status.h"
#include "control/cli/session.h"

namespace trunkline::cli {

absl::Status PrintManual(Session& session);  // manual

// trunkctl(1), as man reads it: made of the tables behind --help.
std::string ManualPage();

}  // namespace trunkline::cli
