#pragma once

#include "absl/status/status.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// Commands for certificates.

absl::Status ListCertificates(Session& session);   // certs list [PROFILE…]
absl::Status ListTlsSessions(Session& session);    // certs sessions [PROFILE]
absl::Status RotateCertificate(Session& session);  // certs rotate PROFILE
// certs check: FailedPrecondition without a text where one has expired or soon will.
absl::Status CheckCertificates(Session& session);

}  // namespace trunkline::cli
