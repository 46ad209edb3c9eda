#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/cli/session.h"
#include "proto/trunkline/control/v1/router_service.pb.h"

namespace trunkline::cli {

absl::Status ApplyFiles(Session& session);  // apply -f FILE…

// The resources of a text: the sections of a trunkline.yaml (also in JSON, which is YAML), or a
// ConfigBundle in JSON, whose resources have a `spec` or whole names ("listeners/amqp"). `file` is
// what it is called in errors, and where relative names in it start. The names of sections that are
// no resources ("router") are added to `passed_over`. FailedPrecondition: what is wrong, a line
// each.
absl::StatusOr<v1::ConfigBundle> ReadBundle(std::string_view text, const std::string& file,
                                            std::vector<std::string>& passed_over);

}  // namespace trunkline::cli
