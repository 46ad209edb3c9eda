#include "router/tls/identity.h"

#include <openssl/objects.h>

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "router/tls/openssl.h"

namespace trunkline::tls {
namespace {

// The subject field that a letter stands for; NID_undef if it stands for none.
int SubjectField(char letter) {
  switch (letter) {
    case 'c':
      return NID_countryName;
    case 's':
      return NID_stateOrProvinceName;
    case 'l':
      return NID_localityName;
    case 'o':
      return NID_organizationName;
    case 'u':
      return NID_organizationalUnitName;
    case 'n':
      return NID_commonName;
    default:
      return NID_undef;
  }
}

// The digest that a letter stands for; null if it stands for none.
const EVP_MD* FingerprintDigest(char letter) {
  switch (letter) {
    case '1':
      return EVP_sha1();
    case '2':
      return EVP_sha256();
    case '5':
      return EVP_sha512();
    default:
      return nullptr;
  }
}

// First value of the field in UTF-8. Control characters, NUL above all, have no place in a name by
// which access is decided: such a value counts as absent.
std::optional<std::string> SubjectValue(const X509* certificate, int field) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, field, -1);
  if (index < 0) return std::nullopt;
  const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
  unsigned char* raw = nullptr;
  const int size = ASN1_STRING_to_UTF8(&raw, value);
  if (size < 0) return std::nullopt;
  const Owned<unsigned char> owner(raw);
  std::string text(reinterpret_cast<char*>(raw), static_cast<size_t>(size));
  const auto is_control = [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); };
  if (text.empty() || std::any_of(text.begin(), text.end(), is_control)) return std::nullopt;
  return text;
}

}  // namespace

absl::Status CheckUidFormat(std::string_view uid_format) {
  for (const char letter : uid_format) {
    if (SubjectField(letter) != NID_undef || FingerprintDigest(letter) != nullptr) continue;
    return absl::InvalidArgumentError(absl::StrCat("uid_format: '", absl::string_view(&letter, 1),
                                                   "' is none of c, s, l, o, u, n, 1, 2, 5"));
  }
  return absl::OkStatus();
}

std::string UserId(const void* x509, std::string_view uid_format) {
  const auto* certificate = static_cast<const X509*>(x509);
  if (certificate == nullptr) return "";
  std::string id;
  for (const char letter : uid_format) {
    std::optional<std::string> part;
    if (const EVP_MD* digest = FingerprintDigest(letter); digest != nullptr) {
      part = Fingerprint(certificate, digest);
    } else if (const int field = SubjectField(letter); field != NID_undef) {
      part = SubjectValue(certificate, field);
    }
    if (!part.has_value() || part->empty()) return "";
    absl::StrAppend(&id, id.empty() ? "" : ";", *part);
  }
  return id;
}

}  // namespace trunkline::tls
