#pragma once

#include <vector>

#include "control/config/document.h"
#include "control/config/problem.h"

namespace trunkline::config {

// Every rule that a document must meet before the router is asked, but for what needs files or
// sockets. Pure. Problems have the path of the field and no place.
std::vector<Problem> Validate(const Document& document);

// Normal form of an address pattern, for comparing: separators "/", none in front, "#" behind "*".
std::string NormalPattern(const v1::AddressSpec& spec);

}  // namespace trunkline::config
