#pragma once

#include <string>

#include "control/config/document.h"

namespace trunkline::legacy {

// What differs between two documents, but for the origin of names; empty: nothing.
std::string Difference(config::Document a, config::Document b);

}  // namespace trunkline::legacy
