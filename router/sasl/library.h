#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace trunkline::sasl {

// Mechanisms that can be had of libsasl2 here, besides ANONYMOUS and EXTERNAL, which it is not
// asked for. Those that send the password as it is come under `kPlaintext`.
const std::vector<std::string>& PasswordMechanisms();
// The password goes over the wire as it is.
bool IsPlaintext(std::string_view mechanism);

// Loads libsasl2 and its plugins, once per process. Any thread; the first call takes long.
absl::Status Load();
// FailedPrecondition: the plugin for `mechanism` is not installed; says which package has it.
absl::Status CheckMechanism(std::string_view mechanism);
// Likewise for sasldb files.
absl::Status CheckSasldb();

}  // namespace trunkline::sasl
