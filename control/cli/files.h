#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace trunkline::cli {

// Files of the person at the terminal. Errors name the file.

// What is in the file, or comes by the pipe; of "-", what comes by the standard input. Above
// kTextBytesMax: OutOfRange; of a folder: InvalidArgument.
absl::StatusOr<std::string> ReadText(const std::string& file);
inline constexpr size_t kTextBytesMax = 1 << 20;

// Makes the file anew with mode 0600, its folder with 0700 if that is missing; or leaves it as it
// was.
absl::Status ReplacePrivateFile(const std::string& file, std::string_view text);

// A new file of mode 0600 in the folder for temporary ones, with this ending: its name.
absl::StatusOr<std::string> MakeTemporaryFile(std::string_view text, const std::string& ending);

// Writes all of the file, which must be there. Keeps its mode.
absl::Status OverwriteFile(const std::string& file, std::string_view text);

// Runs $VISUAL, $EDITOR or vi on the file, and waits. FailedPrecondition: it cannot be run, or
// fails.
absl::Status EditFile(const std::string& file);

}  // namespace trunkline::cli
