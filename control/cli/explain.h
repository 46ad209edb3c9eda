#pragma once

#include <string>

#include "absl/status/status.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// explain [KIND[.FIELD]]: the comments of the protos, which are the manual. trunkctl has them built
// in (proto/CMakeLists.txt).
absl::Status ExplainField(Session& session);
// The same of KIND or KIND.FIELD.
absl::Status ExplainKind(Session& session, const std::string& path);

}  // namespace trunkline::cli
