#include "router/tls/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace trunkline::tls {
namespace {

// A read-only BIO over the text, which must outlive it. Null if the text is too long for one.
Owned<BIO> TextBio(std::string_view text) {
  constexpr size_t kPemBytesMax = 64u << 20;
  if (text.size() > kPemBytesMax) return nullptr;
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Whether the queue's last error only says that the PEM text has no further object.
bool AtEndOfPem() {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

// Certificates and revocation lists are public: an encrypted one is refused. Without this callback
// OpenSSL would ask for its password on the terminal.
int RefusePassword(char* /*buffer*/, int /*capacity*/, int /*writing*/, void* /*user*/) {
  return -1;
}

// Reads one kind of object until the text ends. `what` is its plural, for the error.
template <typename T>
absl::StatusOr<std::vector<Owned<T>>> ParseAll(std::string_view pem, absl::string_view what,
                                               T* (*read)(BIO*, T**, pem_password_cb*, void*)) {
  ERR_clear_error();
  Owned<BIO> bio = TextBio(pem);
  if (bio == nullptr) return absl::InvalidArgumentError("text is too long");
  std::vector<Owned<T>> objects;
  while (objects.size() <= kPemObjectsMax) {
    Owned<T> object(read(bio.get(), nullptr, RefusePassword, nullptr));
    if (object == nullptr) break;
    objects.push_back(std::move(object));
  }
  if (objects.size() > kPemObjectsMax) {
    return absl::InvalidArgumentError(absl::StrCat("more than ", kPemObjectsMax, " ", what));
  }
  if (!AtEndOfPem()) {
    return absl::InvalidArgumentError(
        absl::StrCat("object ", objects.size() + 1, " of the PEM text: ", TakeError()));
  }
  ERR_clear_error();
  if (objects.empty()) return absl::InvalidArgumentError(absl::StrCat("no PEM ", what, " found"));
  return objects;
}

// What the password callback works with.
struct PasswordSource {
  const std::string* password;
  bool asked = false;
};

// OpenSSL asks for the password of an encrypted key. Without this callback it would prompt on the
// terminal.
int GivePassword(char* buffer, int capacity, int /*writing*/, void* user) {
  auto* source = static_cast<PasswordSource*>(user);
  source->asked = true;
  const std::string& password = *source->password;
  if (password.empty() || capacity < 0 || password.size() > static_cast<size_t>(capacity)) {
    return -1;
  }
  std::memcpy(buffer, password.data(), password.size());
  return static_cast<int>(password.size());
}

}  // namespace

void OpensslFree::operator()(STACK_OF(GENERAL_NAME) * p) const { GENERAL_NAMES_free(p); }

std::string TakeError() {
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "unknown error" : reason;
}

absl::StatusOr<std::vector<Owned<X509>>> ParseCertificates(std::string_view pem) {
  return ParseAll<X509>(pem, "certificates", PEM_read_bio_X509);
}

absl::StatusOr<std::vector<Owned<X509_CRL>>> ParseRevocationLists(std::string_view pem) {
  return ParseAll<X509_CRL>(pem, "revocation lists", PEM_read_bio_X509_CRL);
}

absl::StatusOr<Owned<EVP_PKEY>> ParsePrivateKey(std::string_view pem, const std::string& password) {
  ERR_clear_error();
  Owned<BIO> bio = TextBio(pem);
  if (bio == nullptr) return absl::InvalidArgumentError("text is too long");
  PasswordSource source{&password};
  Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, GivePassword, &source));
  if (key != nullptr) {
    ERR_clear_error();
    return key;
  }
  const bool none = pem.find("PRIVATE KEY-----") == std::string_view::npos;
  const std::string reason = TakeError();
  if (source.asked) {
    return absl::InvalidArgumentError(password.empty() ? "is encrypted and no password is given"
                                                       : "cannot be decrypted by the password");
  }
  return absl::InvalidArgumentError(none ? "no PEM private key found" : reason);
}

std::string NameText(const X509_NAME* name) {
  Owned<BIO> bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || name == nullptr) return "";
  // RFC 2253 escapes, but letters beyond ASCII stay readable.
  constexpr unsigned long kFlags = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;
  if (X509_NAME_print_ex(bio.get(), name, 0, kFlags) < 0) return "";
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : "";
}

std::string Fingerprint(const X509* certificate, const EVP_MD* digest) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (X509_digest(certificate, digest, bytes, &size) != 1) return "";
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<char*>(bytes), size));
}

void AskForCertificate(SSL* ssl, ClientAuth client_auth, bool has_ca, SSL_verify_cb on_verify) {
  const bool asks = client_auth != ClientAuth::kNone;
  int mode = asks ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
  if (client_auth == ClientAuth::kRequire) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_set_verify(ssl, mode, on_verify);
  if (!asks || has_ca) return;
  // Whoever the system trusts for web servers is not thereby a client of ours: trust nobody.
  const Owned<X509_STORE> nobody(X509_STORE_new());
  SSL_set1_verify_cert_store(ssl, nobody.get());
}

}  // namespace trunkline::tls
