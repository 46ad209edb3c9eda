#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace trunkline::sasl {

// Kerberos as a SASL mechanism: GSSAPI (RFC 4752), by the plugin of libsasl2 for MIT Kerberos.
// Keys, tickets and realms are the process's, as its environment and krb5.conf say.

// Whether `token` is a request of the Kerberos mechanism (RFC 2743, section 3.1; RFC 4121, section
// 4.1), framed in DER. Nothing else may reach the plugin first: it would take what begins SPNEGO as
// well, and a client with any ticket can then end the process by one of the plugin's assertions.
bool IsKerberosRequest(std::string_view token);
// The realm of names that say none. FailedPrecondition: there is none, or no plugin.
absl::StatusOr<std::string> DefaultRealm();
// FailedPrecondition: there is no realm, or no key to take tickets with; says where it was looked
// for. Reads files and may ask for the name of this host.
absl::Status CheckKeytab();

}  // namespace trunkline::sasl
