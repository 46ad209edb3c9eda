#include "control/certs/profile.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "control/certs/files.h"
#include "control/config/text.h"
#include "control/config/translate.h"
#include "router/base/status.h"

namespace trunkline::certs {
namespace {

// The router's TLS speaks of a bundle's parts ("private_key: …"), people of a profile's fields.
absl::Status WithField(const absl::Status& status) {
  const std::string_view message = config::View(status.message());
  for (std::string_view part : {"certificate", "private_key", "ca", "crl"}) {
    if (!message.starts_with(config::Concat(part, ":"))) continue;
    return absl::Status(status.code(), config::Concat(part, "_file", message.substr(part.size())));
  }
  return status;
}

uint64_t FingerprintOf(const tls::Bundle& bundle, const v1::TlsProfileSpec& spec) {
  return absl::HashOf(bundle.certificate_pem, bundle.private_key_pem, bundle.password,
                      bundle.ca_pem, bundle.crl_pem, spec.SerializeAsString());
}

int64_t FirstEnd(const std::vector<tls::CertificateInfo>& certificates) {
  int64_t end = certificates.front().not_after;
  for (const tls::CertificateInfo& one : certificates) end = std::min(end, one.not_after);
  return end;
}

}  // namespace

absl::StatusOr<Profile> LoadProfile(const v1::TlsProfileSpec& spec, int64_t now) {
  TL_ASSIGN_OR_RETURN(const tls::Bundle bundle, ReadBundle(spec));
  Profile profile;
  profile.dates = WithField(tls::Check(bundle, now));
  if (!profile.dates.ok() && !absl::IsFailedPrecondition(profile.dates)) return profile.dates;
  auto context = tls::Context::Build(bundle, config::ToContextOptions(spec));
  if (!context.ok()) return WithField(context.status());
  profile.context = *std::move(context);
  if (!bundle.certificate_pem.empty()) {
    auto chain = tls::Inspect(bundle.certificate_pem);
    if (!chain.ok()) return WithField(chain.status());
    profile.leaf = std::move(chain->front());
  }
  if (!bundle.ca_pem.empty()) {
    auto trusted = tls::Inspect(bundle.ca_pem);
    if (!trusted.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("ca_file: ", trusted.status().message()));
    }
    profile.ca_not_after = FirstEnd(*trusted);
  }
  profile.fingerprint = FingerprintOf(bundle, spec);
  if (const std::string exposure = KeyExposure(spec.private_key_file()); !exposure.empty()) {
    profile.warnings.push_back(absl::StrCat("private_key_file: ", exposure));
  }
  return profile;
}

}  // namespace trunkline::certs
