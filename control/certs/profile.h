#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/document.h"
#include "router/base/secret.h"
#include "router/tls/bundle.h"
#include "router/tls/context.h"

namespace trunkline::certs {

// What is told of those that a profile trusts; a system has some 150.
inline constexpr size_t kTrustedShownMax = 32;

// What the certificates of a profile say.
struct Certificates {
  std::vector<tls::CertificateInfo> chain;    // the own one, then the intermediate ones
  std::vector<tls::CertificateInfo> trusted;  // the first kTrustedShownMax
  size_t trusted_count = 0;
};

// A certificate for the API's own port, whose library takes no password. PEM.
struct ApiCertificate {
  std::string chain;
  Secret private_key;
  std::string ca;
};

// A TLS profile, read from its files and ready for the router.
struct Profile {
  std::shared_ptr<const tls::Context> context;
  tls::CertificateInfo leaf;  // own certificate; empty subject if there is none
  std::shared_ptr<const Certificates> certificates;
  // When the first of the certificates that peers are trusted by expires, in seconds since 1970; 0:
  // there is none.
  int64_t ca_not_after = 0;
  // Differs, for all practical purposes, if a file or a setting differs.
  uint64_t fingerprint = 0;
  uint64_t stamp = 0;  // StampOf the files, when they were read
  // FailedPrecondition, the field first: own certificate expired, or not yet valid. It still works,
  // for peers that do not look.
  absl::Status dates;
  std::shared_ptr<const ApiCertificate> for_api;  // null unless it was asked for
  std::vector<std::string> warnings;              // the field first
};

struct Loading {
  int64_t now = 0;                                   // seconds since 1970
  const config::InlineCertificate* given = nullptr;  // counts instead of files
  bool for_api = false;
};

// Reads, checks and builds. InvalidArgument: what is wrong, the field of the profile first; the
// fault as tls::FaultOf knows it.
absl::StatusOr<Profile> LoadProfile(const v1::TlsProfileSpec& spec, const Loading& loading);

}  // namespace trunkline::certs
