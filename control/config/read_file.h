#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace trunkline::config {

// The bytes of a regular file of at most `bytes_max`; never waits (a FIFO is refused). NotFound,
// PermissionDenied, InvalidArgument: "FILE: No such file or directory".
absl::StatusOr<std::string> ReadFile(const std::string& file, size_t bytes_max);

}  // namespace trunkline::config
