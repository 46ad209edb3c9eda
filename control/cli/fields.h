#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace trunkline::cli {

// Fields of a resource as they are given on a command line.

// FIELD=VALUE, written as in trunkline.yaml ("port=5671", "backoff.failed=1s"): sets it in the
// spec of `resource`. FIELD= leaves it unset: its default. The path of each, "spec.port", is added
// to `paths`. InvalidArgument.
absl::Status ReadFields(const std::vector<std::string>& words, size_t first,
                        google::protobuf::Message& resource, std::vector<std::string>& paths);

// KEY=VALUE; KEY- takes it away. Likewise, of "labels.KEY".
absl::Status ReadLabels(const std::vector<std::string>& labels, google::protobuf::Message& resource,
                        std::vector<std::string>& paths);

}  // namespace trunkline::cli
