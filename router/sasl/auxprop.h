#pragma once

namespace trunkline::sasl {

// The name by which libsasl2 knows the users of a session (SASL option auxprop_plugin).
inline constexpr char kAuxpropName[] = "trunkline";

// Registers, with libsasl2, the plugin that answers with the passwords of a session's Users. A
// libsasl2 result code.
int AddAuxprop();

}  // namespace trunkline::sasl
