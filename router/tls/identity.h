#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace trunkline::tls {

// `uid_format` (spec routing section 11.3): a sequence of c s l o u n (subject fields) and 1 2 5
// (sha1, sha256, sha512 fingerprints); the parts are joined with ';'. InvalidArgument names the bad
// letter.
absl::Status CheckUidFormat(std::string_view uid_format);

// The user id of a certificate (X509*, not owned); a field that the subject lacks gives an empty
// id.
std::string UserId(const void* x509, std::string_view uid_format);

}  // namespace trunkline::tls
