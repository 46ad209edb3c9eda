#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trunkline::sasl {

// Mechanisms with a password, strongest first: those of libsasl2 that are spoken here.
const std::vector<std::string>& PasswordMechanisms();
// The password goes over the wire as it is.
bool IsPlaintext(std::string_view mechanism);

}  // namespace trunkline::sasl
