#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/config/problem.h"

namespace trunkline::config {

inline bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// The first byte that a configuration may not hold, in any of its forms: what is not UTF-8, and
// control characters but tab and line ends.
std::optional<Problem> CheckCharacters(std::string_view text);

// The text with a replacement character (U+FFFD) for each byte that is not UTF-8: for what peers
// say, as clients refuse a whole message for one such byte.
std::string ToUtf8(std::string_view text);

}  // namespace trunkline::config
