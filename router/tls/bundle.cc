#include "router/tls/bundle.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "router/base/secret.h"
#include "router/base/status.h"
#include "router/tls/openssl.h"

namespace trunkline::tls {
namespace {

int64_t UnixSeconds(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return timegm(&parts);
}

std::string SerialText(const X509* certificate) {
  const Owned<BIGNUM> number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  if (number == nullptr) return "";
  const Owned<char> hex(BN_bn2hex(number.get()));
  return hex == nullptr ? "" : absl::AsciiStrToLower(hex.get());
}

std::string KeyTypeText(const X509* certificate) {
  EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key == nullptr) return "unknown";
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return absl::StrCat("RSA ", EVP_PKEY_get_bits(key));
    case EVP_PKEY_RSA_PSS:
      return absl::StrCat("RSA-PSS ", EVP_PKEY_get_bits(key));
    case EVP_PKEY_ED25519:
      return "Ed25519";
    case EVP_PKEY_ED448:
      return "Ed448";
    case EVP_PKEY_EC:
      break;
    default:
      return "unknown";
  }
  char group[64] = {};
  size_t size = 0;
  if (EVP_PKEY_get_group_name(key, group, sizeof(group), &size) != 1) return "EC";
  return absl::StrCat("EC ", group);
}

std::string Ia5Text(const ASN1_IA5STRING* text) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<size_t>(ASN1_STRING_length(text)));
}

// RFC 5952: the first of the longest runs of zero groups, if longer than one, becomes "::".
std::string Ipv6Text(const unsigned char* bytes) {
  constexpr int kGroups = 8;
  int groups[kGroups];
  for (int i = 0; i < kGroups; ++i) groups[i] = bytes[2 * i] << 8 | bytes[2 * i + 1];
  int run_begin = 0;
  int run_size = 1;
  for (int begin = 0; begin < kGroups; ++begin) {
    int end = begin;
    while (end < kGroups && groups[end] == 0) ++end;
    if (end - begin <= run_size) continue;
    run_begin = begin;
    run_size = end - begin;
  }
  std::string text;
  for (int i = 0; i < kGroups; ++i) {
    if (run_size > 1 && i == run_begin) {
      text += "::";
      i += run_size - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    absl::StrAppend(&text, absl::Hex(groups[i]));
  }
  return text;
}

std::string IpText(const ASN1_OCTET_STRING* address) {
  const unsigned char* bytes = ASN1_STRING_get0_data(address);
  switch (ASN1_STRING_length(address)) {
    case 4:
      return absl::StrCat(bytes[0], ".", bytes[1], ".", bytes[2], ".", bytes[3]);
    case 16:
      return Ipv6Text(bytes);
    default:
      return "";
  }
}

void AddAlternativeNames(const X509* certificate, CertificateInfo& info) {
  const Owned<STACK_OF(GENERAL_NAME)> names(static_cast<STACK_OF(GENERAL_NAME)*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    switch (name->type) {
      case GEN_DNS:
        info.dns_names.push_back(Ia5Text(name->d.dNSName));
        break;
      case GEN_URI:
        info.uris.push_back(Ia5Text(name->d.uniformResourceIdentifier));
        break;
      case GEN_IPADD:
        info.ip_addresses.push_back(IpText(name->d.iPAddress));
        break;
      default:
        break;
    }
  }
}

CertificateInfo Describe(const X509* certificate) {
  CertificateInfo info;
  info.subject = NameText(X509_get_subject_name(certificate));
  info.issuer = NameText(X509_get_issuer_name(certificate));
  info.serial = SerialText(certificate);
  info.not_before = UnixSeconds(X509_get0_notBefore(certificate));
  info.not_after = UnixSeconds(X509_get0_notAfter(certificate));
  info.sha256 = Fingerprint(certificate, EVP_sha256());
  info.key_type = KeyTypeText(certificate);
  AddAlternativeNames(certificate, info);
  return info;
}

// Under which a status keeps its fault.
constexpr char kFaultUrl[] = "trunkline/tls.fault";

absl::Status Field(absl::string_view field, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(field, ": ", status.message()));
}

absl::Status CheckDates(const X509* certificate, size_t position, int64_t now) {
  const std::string who = absl::StrCat(
      "certificate: ", position == 0 ? "" : absl::StrCat("intermediate ", position, " "),
      NameText(X509_get_subject_name(certificate)));
  if (now < UnixSeconds(X509_get0_notBefore(certificate))) {
    return WithFault(absl::FailedPreconditionError(absl::StrCat(who, " is not yet valid")),
                     "CERTIFICATE_NOT_YET_VALID");
  }
  if (now > UnixSeconds(X509_get0_notAfter(certificate))) {
    return WithFault(absl::FailedPreconditionError(absl::StrCat(who, " has expired")),
                     "CERTIFICATE_EXPIRED");
  }
  return absl::OkStatus();
}

// Every certificate is signed by the one behind it.
absl::Status CheckOrder(const std::vector<Owned<X509>>& chain) {
  for (size_t i = 1; i < chain.size(); ++i) {
    X509* subject = chain[i - 1].get();
    X509* issuer = chain[i].get();
    const bool issued = X509_check_issued(issuer, subject) == X509_V_OK &&
                        X509_verify(subject, X509_get0_pubkey(issuer)) == 1;
    if (issued) continue;
    TakeError();
    return WithFault(
        absl::InvalidArgumentError(absl::StrCat("certificate: entry ", i + 1, " (",
                                                NameText(X509_get_subject_name(issuer)),
                                                ") did not issue the one before it")),
        "CHAIN_BROKEN");
  }
  return absl::OkStatus();
}

absl::Status CheckOwn(const Bundle& bundle, int64_t now) {
  absl::StatusOr<std::vector<Owned<X509>>> chain = ParseCertificates(bundle.certificate_pem);
  if (!chain.ok()) return Field("certificate", chain.status());
  absl::StatusOr<Owned<EVP_PKEY>> key = ParsePrivateKey(bundle.private_key_pem, bundle.password);
  if (!key.ok()) return Field("private_key", key.status());
  if (X509_check_private_key(chain->front().get(), key->get()) != 1) {
    TakeError();
    return WithFault(absl::InvalidArgumentError("private_key: does not belong to the certificate"),
                     "KEY_MISMATCH");
  }
  TL_RETURN_IF_ERROR(CheckOrder(*chain));
  for (size_t i = 0; i < chain->size(); ++i) {
    TL_RETURN_IF_ERROR(CheckDates((*chain)[i].get(), i, now));
  }
  return absl::OkStatus();
}

}  // namespace

Bundle::~Bundle() {
  Wipe(private_key_pem);
  Wipe(password);
}

absl::StatusOr<std::vector<CertificateInfo>> Inspect(std::string_view certificate_pem) {
  absl::StatusOr<std::vector<Owned<X509>>> chain = ParseCertificates(certificate_pem);
  if (!chain.ok()) return Field("certificate", chain.status());
  std::vector<CertificateInfo> infos;
  for (const Owned<X509>& certificate : *chain) infos.push_back(Describe(certificate.get()));
  return infos;
}

absl::Status Check(const Bundle& bundle, int64_t now) {
  if (!bundle.certificate_pem.empty()) {
    TL_RETURN_IF_ERROR(CheckOwn(bundle, now));
  } else if (!bundle.private_key_pem.empty()) {
    return absl::InvalidArgumentError("certificate: missing, though there is a private key");
  }
  if (!bundle.ca_pem.empty()) {
    const auto ca = ParseCertificates(bundle.ca_pem);
    if (!ca.ok()) return Field("ca", ca.status());
  }
  if (!bundle.crl_pem.empty()) {
    const auto crl = ParseRevocationLists(bundle.crl_pem);
    if (!crl.ok()) return Field("crl", crl.status());
    if (bundle.ca_pem.empty()) return absl::InvalidArgumentError("crl: needs a ca");
  }
  return absl::OkStatus();
}

std::string FaultOf(const absl::Status& status) {
  const auto fault = status.GetPayload(kFaultUrl);
  return fault ? std::string(*fault) : std::string();
}

absl::Status WithFault(absl::Status status, std::string_view fault) {
  status.SetPayload(kFaultUrl, absl::Cord(absl::string_view(fault.data(), fault.size())));
  return status;
}

absl::StatusOr<Secret> PlainKey(const Bundle& bundle) {
  absl::StatusOr<Owned<EVP_PKEY>> key = ParsePrivateKey(bundle.private_key_pem, bundle.password);
  if (!key.ok()) return Field("private_key", key.status());
  // Its memory is overwritten when it is freed.
  const Owned<BIO> pem(BIO_new(BIO_s_secmem()));
  char* text = nullptr;
  if (pem == nullptr || PEM_write_bio_PKCS8PrivateKey(pem.get(), key->get(), nullptr, nullptr, 0,
                                                      nullptr, nullptr) != 1) {
    return absl::InternalError(absl::StrCat("private_key: ", TakeError()));
  }
  const long size = BIO_get_mem_data(pem.get(), &text);
  return Secret(std::string_view(text, static_cast<size_t>(size)));
}

}  // namespace trunkline::tls
