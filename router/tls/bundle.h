#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "router/base/secret.h"

namespace trunkline::tls {

// Everything a TLS context is made from, as text: PEM, read by whoever knows files. Secret: never
// logged, never in an error text.
struct Bundle {
  ~Bundle();  // overwrites private key and password

  std::string certificate_pem;  // own certificate, then intermediates; empty: none (clients only)
  std::string private_key_pem;
  std::string password;  // of the private key
  std::string ca_pem;    // trusted for the peer; may hold old and new roots. Empty: none
  std::string crl_pem;   // checked for the whole chain if not empty
};

// What a certificate says, for people and for `trunkctl`.
struct CertificateInfo {
  std::string subject;  // RFC 2253
  std::string issuer;
  std::string serial;  // hex
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  std::vector<std::string> uris;
  int64_t not_before = 0;  // seconds since 1970
  int64_t not_after = 0;
  std::string sha256;    // lower-case hex fingerprint
  std::string key_type;  // "RSA 2048", "EC prime256v1", "Ed25519"
};

// Certificates of a PEM text, first the leaf. InvalidArgument names what cannot be read. Thread:
// any, as for Check.
absl::StatusOr<std::vector<CertificateInfo>> Inspect(std::string_view certificate_pem);

// Pure checks, errors start with the field: key belongs to certificate, chain is in order, dates.
// `now` is seconds since 1970. FailedPrecondition: expired or not yet valid.
absl::Status Check(const Bundle& bundle, int64_t now);

// What a program should know of an error about certificates: KEY_MISMATCH, CHAIN_BROKEN,
// CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID, or what WithFault was given. Empty: it is in the
// text alone.
std::string FaultOf(const absl::Status& status);
// REQUIRES: not OK.
absl::Status WithFault(absl::Status status, std::string_view fault);

// The private key as PEM that is not encrypted, for libraries that take no password. Errors: as
// Check's of it.
absl::StatusOr<Secret> PlainKey(const Bundle& bundle);

}  // namespace trunkline::tls
