#pragma once

#include <string>

#include "absl/status/status.h"
#include "control/cli/session.h"

namespace trunkline::cli {

absl::Status PrintCompletion(Session& session);  // completion bash|zsh

}  // namespace trunkline::cli
