#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "control/config/document.h"

namespace trunkline::store {

// The bytes of `state.json` (proto: State), and back. Pure. DataLoss: they are not what EncodeState
// writes; secrets are in them. FailedPrecondition: a newer trunkd wrote them.
std::string EncodeState(const config::Document& made);
absl::StatusOr<config::Document> DecodeState(const std::string& bytes);

}  // namespace trunkline::store
