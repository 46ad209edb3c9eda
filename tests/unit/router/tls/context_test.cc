#include "router/tls/context.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/router/tls/session_pair.h"

namespace trunkline::tls::test {
namespace {

std::string BuildError(const Bundle& bundle, const ContextOptions& options = {}) {
  const auto context = Context::Build(bundle, options);
  return context.ok() ? "" : std::string(context.status().message());
}

TEST(Context, IsMadeFromEveryKindOfKey) {
  for (const KeyKind kind : {KeyKind::kEc, KeyKind::kRsa, KeyKind::kEd25519}) {
    TestAuthority authority("CA", kind);
    const TestCert cert = authority.Issue({.key = kind});
    EXPECT_EQ(BuildError(BundleOf(cert, &authority)), "");
  }
}

TEST(Context, KnowsWhatItHolds) {
  TestCerts certs;
  EXPECT_TRUE(MustBuild(BundleOf(certs.server))->has_certificate());
  EXPECT_FALSE(MustBuild(BundleOf(certs.server))->has_ca());
  EXPECT_TRUE(MustBuild({.ca_pem = certs.authority.Pem()})->has_ca());
  EXPECT_FALSE(MustBuild({.ca_pem = certs.authority.Pem()})->has_certificate());
  EXPECT_NE(MustBuild({}), nullptr);
}

TEST(Context, NamesTheFieldThatCannotBeUsed) {
  TestCerts certs;
  const Bundle good = BundleOf(certs.server, &certs.authority);
  Bundle bundle = good;
  bundle.certificate_pem = "x";
  EXPECT_EQ(BuildError(bundle), "certificate: no PEM certificates found");
  bundle = good;
  bundle.private_key_pem = "x";
  EXPECT_EQ(BuildError(bundle), "private_key: no PEM private key found");
  bundle.private_key_pem = "";
  EXPECT_EQ(BuildError(bundle), "private_key: missing");
  bundle.private_key_pem = certs.client.key().Pem();
  EXPECT_EQ(BuildError(bundle), "private_key: does not belong to the certificate");
  bundle = good;
  bundle.certificate_pem = "";
  EXPECT_EQ(BuildError(bundle), "certificate: missing, though there is a private key");
  bundle = good;
  bundle.ca_pem = "x";
  EXPECT_EQ(BuildError(bundle), "ca: no PEM certificates found");
  bundle = good;
  bundle.crl_pem = "x";
  EXPECT_EQ(BuildError(bundle), "crl: no PEM revocation lists found");
  bundle.ca_pem = "";
  EXPECT_EQ(BuildError(bundle), "crl: needs a ca");
}

TEST(Context, NamesTheOptionThatCannotBeUsed) {
  const Bundle bundle = BundleOf(TestCerts().server);
  EXPECT_EQ(BuildError(bundle, {.min_version = Version::kTls13, .max_version = Version::kTls12}),
            "min_version: is above max_version");
  EXPECT_EQ(BuildError(bundle, {.ciphers = "NO-SUCH"}), "ciphers: no cipher match");
  EXPECT_EQ(BuildError(bundle, {.ciphers = "aNULL:@SECLEVEL=0"}), "ciphers: no cipher match");
  EXPECT_EQ(BuildError(bundle, {.ciphers = "eNULL:@SECLEVEL=0"}), "ciphers: no cipher match");
  EXPECT_EQ(BuildError(bundle, {.cipher_suites = "NO_SUCH"}), "cipher_suites: no cipher match");
  EXPECT_EQ(BuildError(bundle, {.uid_format = "z"}),
            "uid_format: 'z' is none of c, s, l, o, u, n, 1, 2, 5");
  EXPECT_EQ(BuildError(bundle, {.ciphers = "ECDHE+AESGCM",
                                .cipher_suites = "TLS_AES_128_GCM_SHA256",
                                .uid_format = "2"}),
            "");
}

TEST(Context, UsesThePasswordOfTheKey) {
  TestCerts certs;
  Bundle bundle = BundleOf(certs.server);
  bundle.private_key_pem = certs.server.key().Pem("pw");
  EXPECT_EQ(BuildError(bundle), "private_key: is encrypted and no password is given");
  bundle.password = "px";
  EXPECT_EQ(BuildError(bundle), "private_key: cannot be decrypted by the password");
  bundle.password = "pw";
  EXPECT_EQ(BuildError(bundle), "");
}

TEST(Context, HoldsTheSameCertificateTwiceInItsTrust) {
  TestCerts certs;
  EXPECT_EQ(BuildError({.ca_pem = certs.authority.Pem() + certs.authority.Pem()}), "");
}

}  // namespace
}  // namespace trunkline::tls::test
