#pragma once

#include <vector>

#include "control/config/document.h"
#include "control/config/problem.h"

namespace trunkline::config {

// The part of Validate about `control:`. Pure.
void ValidateControl(const Document& document, std::vector<Problem>& problems);

}  // namespace trunkline::config
