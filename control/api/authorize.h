#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/api/method_table.h"

namespace trunkline::api {

// Who may do what. Pure: a certificate's names → an identity; identity and policy → a role; role
// and method → yes or no.

// Who comes over the socket: the file's mode has let them in, so they may do everything.
inline constexpr std::string_view kLocalIdentity = "local";

// Names in a client certificate that has been verified, as far as they count here.
struct CertificateNames {
  std::vector<std::string> uris;  // subject alternative names, in their order
  std::vector<std::string> dns;
  std::string common_name;
};

// The first of: a URI "spiffe://…" as it is; another URI, "uri:…"; a DNS name, "dns:…", in lower
// case; the common name, "cn:…". Empty: it has none of them. Names with control characters, and
// those of more than kIdentityBytesMax, do not count.
std::string IdentityOf(const CertificateNames& names);
inline constexpr size_t kIdentityBytesMax = 2048;

// Which identities have which role.
class Policy {
 public:
  // Every identity is a viewer.
  Policy() = default;
  // From the text of a policy file: a map with the lists `viewer`, `operator` and `admin`.
  // InvalidArgument: all problems, as config::FormatProblems writes them.
  static absl::StatusOr<Policy> Parse(std::string_view text, const std::string& file);

  // The highest role that a list gives to the identity; UNSPECIFIED: none.
  v1::AccessRole RoleOf(std::string_view identity) const;

 private:
  void Add(std::string_view pattern, v1::AccessRole role);

  bool everybody_views_ = true;
  std::map<std::string, v1::AccessRole, std::less<>> exact_;
  std::map<std::string, v1::AccessRole, std::less<>> prefixes_;  // without the "*"
};

inline constexpr size_t kPolicyBytesMax = 1 << 20;

// OK, or PermissionDenied with reason ROLE_REQUIRED and metadata identity, required_role, method.
absl::Status Authorize(std::string_view identity, v1::AccessRole role, const Method& method);

}  // namespace trunkline::api
