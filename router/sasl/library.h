#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace trunkline::sasl {

// Loads libsasl2 and its plugins, once per process. Any thread; the first call takes long.
absl::Status Load();
// FailedPrecondition: the plugin for `mechanism` is not installed; says which package has it.
absl::Status CheckMechanism(std::string_view mechanism);
// Likewise for sasldb files.
absl::Status CheckSasldb();

}  // namespace trunkline::sasl
