#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/document.h"
#include "router/tls/bundle.h"
#include "router/tls/context.h"

namespace trunkline::certs {

// A TLS profile, read from its files and ready for the router.
struct Profile {
  std::shared_ptr<const tls::Context> context;
  tls::CertificateInfo leaf;  // own certificate; empty subject if there is none
  // When the first of the certificates that peers are trusted by expires, in seconds since 1970; 0:
  // there is none.
  int64_t ca_not_after = 0;
  // Differs, for all practical purposes, if a file or a setting differs.
  uint64_t fingerprint = 0;
  // FailedPrecondition, the field first: own certificate expired, or not yet valid. It still works,
  // for peers that do not look.
  absl::Status dates;
  std::vector<std::string> warnings;  // the field first
};

// Reads, checks and builds. `now` is seconds since 1970. InvalidArgument: what is wrong, the field
// of the profile first.
absl::StatusOr<Profile> LoadProfile(const v1::TlsProfileSpec& spec, int64_t now);

}  // namespace trunkline::certs
