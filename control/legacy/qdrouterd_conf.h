#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/config/file_source.h"
#include "control/legacy/users.h"

namespace trunkline::legacy {

// Reads and validates a qdrouterd.conf. What asks for what is not there is a problem; what has no
// effect, and is not missed, a warning. Names of files are meant from where the process runs.
// `read` is asked for the file of Cyrus SASL that says where users are, if they matter.
// InvalidArgument: all problems, as FormatProblems writes them. Pure but for `read`.
absl::StatusOr<config::FileDocument> ParseQdrouterdConf(std::string_view text,
                                                        const std::string& file,
                                                        const FileReader& read);

// Reads and validates a file of either format, told apart by what is in it (IsLegacyText).
absl::StatusOr<config::FileDocument> LoadDocument(const std::string& file);

}  // namespace trunkline::legacy
