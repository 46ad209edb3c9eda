#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trunkline::sasl {

// Kerberos, by tickets; only where it is named.
inline constexpr std::string_view kGssapi = "GSSAPI";

// Mechanisms with a password, strongest first: those of libsasl2 that are spoken here.
const std::vector<std::string>& PasswordMechanisms();
// The password goes over the wire as it is.
bool IsPlaintext(std::string_view mechanism);
// Why a mechanism that libsasl2 has is not spoken here; empty: nothing is known against it.
std::string_view Objection(std::string_view mechanism);

}  // namespace trunkline::sasl
