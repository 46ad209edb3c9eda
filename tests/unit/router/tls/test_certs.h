#pragma once

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// Certificates for tests, made in memory by OpenSSL: an authority, what it issues, what it revokes.
// Header-only, so that the tests of other folders can use it; needs OpenSSL::Crypto only.
namespace trunkline::tls::test {

enum class KeyKind { kEc, kRsa, kEd25519 };

// A key pair, shared by copies.
class TestKey {
 public:
  explicit TestKey(KeyKind kind = KeyKind::kEc) {
    EVP_PKEY* made = nullptr;
    if (kind == KeyKind::kEc) made = EVP_EC_gen("prime256v1");
    if (kind == KeyKind::kRsa) made = EVP_RSA_gen(2048);
    if (kind == KeyKind::kEd25519) made = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    key_.reset(made, EVP_PKEY_free);
    digest_ = kind == KeyKind::kEd25519 ? nullptr : EVP_sha256();
  }

  EVP_PKEY* native() const { return key_.get(); }
  const EVP_MD* digest() const { return digest_; }

  // PKCS#8 PEM, encrypted if there is a password.
  std::string Pem(const std::string& password = "") const {
    std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(),
                                  password.empty() ? nullptr : EVP_aes_256_cbc(), password.data(),
                                  static_cast<int>(password.size()), nullptr, nullptr);
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return std::string(text, static_cast<size_t>(size));
  }

 private:
  std::shared_ptr<EVP_PKEY> key_;
  const EVP_MD* digest_;
};

// What to put into a certificate.
struct CertSpec {
  // Short field name ("CN", "O") and value, in order.
  std::vector<std::pair<std::string, std::string>> subject = {{"CN", "test"}};
  std::string alternative_names;  // as in openssl.cnf: "DNS:a.example,IP:127.0.0.1"
  bool authority = false;
  long not_before_seconds = -3600;  // relative to the present
  long not_after_seconds = 24 * 3600;
  KeyKind key = KeyKind::kEc;
};

// A certificate with its key; shared by copies.
class TestCert {
 public:
  TestCert(const CertSpec& spec, const TestCert* issuer) : key_(spec.key) {
    cert_.reset(X509_new(), X509_free);
    X509* cert = cert_.get();
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), NextSerial());
    X509_gmtime_adj(X509_getm_notBefore(cert), spec.not_before_seconds);
    X509_gmtime_adj(X509_getm_notAfter(cert), spec.not_after_seconds);
    for (const auto& [field, value] : spec.subject) {
      X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), field.c_str(), MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(value.data()),
                                 static_cast<int>(value.size()), -1, 0);
    }
    const TestCert& signer = issuer == nullptr ? *this : *issuer;
    X509_set_issuer_name(cert, X509_get_subject_name(signer.native()));
    X509_set_pubkey(cert, key_.native());
    Extend(signer, NID_basic_constraints, spec.authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (spec.authority) Extend(signer, NID_key_usage, "critical,keyCertSign,cRLSign");
    Extend(signer, NID_subject_key_identifier, "hash");
    Extend(signer, NID_authority_key_identifier, "keyid:always");
    if (!spec.alternative_names.empty()) {
      Extend(signer, NID_subject_alt_name, spec.alternative_names.c_str());
    }
    X509_sign(cert, signer.key_.native(), signer.key_.digest());
  }

  X509* native() const { return cert_.get(); }
  const TestKey& key() const { return key_; }

  std::string Pem() const {
    std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_X509(bio.get(), cert_.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return std::string(text, static_cast<size_t>(size));
  }

 private:
  static long NextSerial() {
    static long serial = 0x1000;
    return ++serial;
  }

  void Extend(const TestCert& signer, int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer.native(), cert_.get(), nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    if (extension == nullptr) return;
    X509_add_ext(cert_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }

  TestKey key_;
  std::shared_ptr<X509> cert_;
};

// An authority that issues certificates and revokes them.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "Test CA", KeyKind key = KeyKind::kEc)
      : cert_({.subject = {{"CN", name}}, .authority = true, .key = key}, nullptr) {}

  TestCert Issue(const CertSpec& spec) const { return TestCert(spec, &cert_); }
  const TestCert& cert() const { return cert_; }
  std::string Pem() const { return cert_.Pem(); }

  // A revocation list with these certificates in it.
  std::string RevocationList(const std::vector<TestCert>& revoked) const {
    std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> crl(X509_CRL_new(), X509_CRL_free);
    X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(cert_.native()));
    std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> time(ASN1_TIME_new(), ASN1_TIME_free);
    X509_gmtime_adj(time.get(), -3600);
    X509_CRL_set1_lastUpdate(crl.get(), time.get());
    X509_gmtime_adj(time.get(), 24 * 3600);
    X509_CRL_set1_nextUpdate(crl.get(), time.get());
    for (const TestCert& cert : revoked) {
      X509_REVOKED* entry = X509_REVOKED_new();
      X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(cert.native()));
      X509_gmtime_adj(time.get(), -60);
      X509_REVOKED_set_revocationDate(entry, time.get());
      X509_CRL_add0_revoked(crl.get(), entry);
    }
    X509_CRL_sort(crl.get());
    X509_CRL_sign(crl.get(), cert_.key().native(), cert_.key().digest());
    std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_X509_CRL(bio.get(), crl.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return std::string(text, static_cast<size_t>(size));
  }

 private:
  TestCert cert_;
};

// The set that most tests use: one authority, a server for "server.example", 127.0.0.1 and ::1, a
// client with every subject field.
struct TestCerts {
  TestAuthority authority;
  TestCert server =
      authority.Issue({.subject = {{"CN", "server.example"}},
                       .alternative_names = "DNS:server.example,IP:127.0.0.1,IP:::1"});
  TestCert client = authority.Issue({.subject = {{"C", "CH"},
                                                 {"ST", "Bern"},
                                                 {"L", "Thun"},
                                                 {"O", "Trunk Works"},
                                                 {"OU", "Lines"},
                                                 {"CN", "client one"}}});
  TestCert expired = authority.Issue({.subject = {{"CN", "server.example"}},
                                      .alternative_names = "DNS:server.example",
                                      .not_before_seconds = -7200,
                                      .not_after_seconds = -3600});
  TestCert not_yet_valid = authority.Issue({.subject = {{"CN", "server.example"}},
                                            .alternative_names = "DNS:server.example",
                                            .not_before_seconds = 3600,
                                            .not_after_seconds = 7200});
};

}  // namespace trunkline::tls::test
