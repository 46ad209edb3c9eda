#pragma once

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "router/tls/context.h"

// What the files of this folder share to handle OpenSSL. Included by its .cc files only: nobody
// else sees OpenSSL's types.
namespace trunkline::tls {

// Frees what the pointer owns; one overload per OpenSSL type used here.
struct OpensslFree {
  void operator()(BIO* p) const { BIO_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(X509_CRL* p) const { X509_CRL_free(p); }
  void operator()(X509_STORE* p) const { X509_STORE_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(BIGNUM* p) const { BN_free(p); }
  void operator()(ASN1_STRING* p) const { ASN1_STRING_free(p); }
  void operator()(char* p) const { OPENSSL_free(p); }
  void operator()(unsigned char* p) const { OPENSSL_free(p); }
  void operator()(STACK_OF(GENERAL_NAME) * p) const;
};
template <typename T>
using Owned = std::unique_ptr<T, OpensslFree>;

// A PEM text holds at most so many certificates or revocation lists: system bundles have some 150.
inline constexpr size_t kPemObjectsMax = 4096;

// The reason of the oldest error of this thread's queue, which it empties; "unknown error" if none.
std::string TakeError();

// All certificates of a PEM text in their order, at least one, none of them encrypted.
// InvalidArgument: what is wrong, to be prefixed by the field.
absl::StatusOr<std::vector<Owned<X509>>> ParseCertificates(std::string_view pem);

// All revocation lists of a PEM text, at least one.
absl::StatusOr<std::vector<Owned<X509_CRL>>> ParseRevocationLists(std::string_view pem);

// The private key of a PEM text, encrypted or not. Never prompts.
absl::StatusOr<Owned<EVP_PKEY>> ParsePrivateKey(std::string_view pem, const std::string& password);

// RFC 2253 form of a name, in UTF-8.
std::string NameText(const X509_NAME* name);

// Lower-case hex digest of the certificate's DER form; empty if the digest is unavailable.
std::string Fingerprint(const X509* certificate, const EVP_MD* digest);

// Has a session of a server ask for the peer's certificate, or not. Without authorities of its own
// (`has_ca`) it trusts nobody. `on_verify` may be null.
void AskForCertificate(SSL* ssl, ClientAuth client_auth, bool has_ca, SSL_verify_cb on_verify);

}  // namespace trunkline::tls
