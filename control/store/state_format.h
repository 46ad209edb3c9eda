#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "control/config/document.h"
#include "router/base/secret.h"

namespace trunkline::store {

// The bytes of `state.json` (proto: State), in which secrets may be, and back. Pure.
// Internal: there is something that has no form in JSON, which no rule should let through.
absl::StatusOr<Secret> EncodeState(const config::Document& made);
// DataLoss: they are not what EncodeState makes. FailedPrecondition: a newer trunkd wrote them.
absl::StatusOr<config::Document> DecodeState(std::string_view bytes);

}  // namespace trunkline::store
