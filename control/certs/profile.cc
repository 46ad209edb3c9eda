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
    const absl::Status named(status.code(),
                             config::Concat(part, "_file", message.substr(part.size())));
    const std::string fault = tls::FaultOf(status);
    return fault.empty() ? named : tls::WithFault(named, fault);
  }
  return status;
}

// Of a key that is another's: which files do not go together, or whose certificate it is.
absl::Status WithNames(absl::Status status, const tls::Bundle& bundle,
                       const v1::TlsProfileSpec& spec, bool is_given) {
  constexpr std::string_view kMismatch = "KEY_MISMATCH";
  if (tls::FaultOf(status) != kMismatch) return status;
  const auto chain = tls::Inspect(bundle.certificate_pem);
  const std::string owner = chain.ok() ? config::Concat(" (", chain->front().subject, ")") : "";
  const std::string text = is_given ? config::Concat("does not belong to the certificate", owner)
                                    : config::Concat("the private key in ", spec.private_key_file(),
                                                     " does not belong to the certificate in ",
                                                     spec.certificate_file(), owner);
  return tls::WithFault(absl::Status(status.code(), config::Concat("private_key_file: ", text)),
                        kMismatch);
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

// What there is to know of its certificates.
absl::Status Describe(const tls::Bundle& bundle, Profile& profile) {
  auto certificates = std::make_shared<Certificates>();
  if (!bundle.certificate_pem.empty()) {
    auto chain = tls::Inspect(bundle.certificate_pem);
    if (!chain.ok()) return WithField(chain.status());
    profile.leaf = chain->front();
    certificates->chain = *std::move(chain);
  }
  if (!bundle.ca_pem.empty()) {
    auto trusted = tls::Inspect(bundle.ca_pem);
    if (!trusted.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("ca_file: ", trusted.status().message()));
    }
    profile.ca_not_after = FirstEnd(*trusted);
    certificates->trusted_count = trusted->size();
    trusted->resize(std::min(trusted->size(), kTrustedShownMax));
    certificates->trusted = *std::move(trusted);
  }
  profile.certificates = std::move(certificates);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Profile> LoadProfile(const v1::TlsProfileSpec& spec, const Loading& loading) {
  Profile profile;
  profile.stamp = StampOf(spec);  // before: what changes while it is read is read again
  TL_ASSIGN_OR_RETURN(const tls::Bundle bundle, ReadBundle(spec, loading.given));
  profile.dates = WithField(tls::Check(bundle, loading.now));
  if (!profile.dates.ok() && !absl::IsFailedPrecondition(profile.dates)) {
    return WithNames(profile.dates, bundle, spec, loading.given != nullptr);
  }
  auto context = tls::Context::Build(bundle, config::ToContextOptions(spec));
  if (!context.ok()) return WithField(context.status());
  profile.context = *std::move(context);
  TL_RETURN_IF_ERROR(Describe(bundle, profile));
  if (loading.for_api && !bundle.certificate_pem.empty()) {
    auto key = tls::PlainKey(bundle);
    if (!key.ok()) return WithField(key.status());
    profile.for_api = std::make_shared<const ApiCertificate>(
        ApiCertificate{bundle.certificate_pem, *std::move(key), bundle.ca_pem});
  }
  profile.fingerprint = FingerprintOf(bundle, spec);
  if (loading.given != nullptr) return profile;
  if (const std::string exposure = KeyExposure(spec.private_key_file()); !exposure.empty()) {
    profile.warnings.push_back(absl::StrCat("private_key_file: ", exposure));
  }
  return profile;
}

}  // namespace trunkline::certs
