#include "router/tls/bundle.h"

#include <openssl/pem.h>
#include <unistd.h>

#include <ctime>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/tls/identity.h"
#include "router/tls/openssl.h"
#include "tests/unit/router/tls/session_pair.h"

namespace trunkline::tls::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

TEST(Inspect, TellsWhatACertificateSays) {
  TestAuthority authority;
  const TestCert cert = authority.Issue(
      {.subject = {{"O", "Trunk Works"}, {"CN", "server.example"}},
       .alternative_names = "DNS:server.example,DNS:*.lines.example,IP:127.0.0.1,IP:::1,URI:spiffe:"
                            "//works/line"});
  const auto infos = Inspect(cert.Pem() + authority.Pem());
  ASSERT_TRUE(infos.ok()) << infos.status();
  ASSERT_EQ(infos->size(), 2u);
  const CertificateInfo& leaf = infos->front();
  EXPECT_EQ(leaf.subject, "CN=server.example,O=Trunk Works");
  EXPECT_EQ(leaf.issuer, "CN=Test CA");
  EXPECT_THAT(leaf.serial, MatchesRegex("[0-9a-f]+"));
  EXPECT_THAT(leaf.dns_names, ElementsAre("server.example", "*.lines.example"));
  EXPECT_THAT(leaf.ip_addresses, ElementsAre("127.0.0.1", "::1"));
  EXPECT_THAT(leaf.uris, ElementsAre("spiffe://works/line"));
  EXPECT_EQ(leaf.not_after - leaf.not_before, 25 * 3600);
  EXPECT_THAT(leaf.sha256, MatchesRegex("[0-9a-f]{64}"));
  EXPECT_EQ(leaf.key_type, "EC prime256v1");
  EXPECT_EQ((*infos)[1].subject, "CN=Test CA");
}

TEST(Inspect, WritesAddressesTheShortWay) {
  TestAuthority authority;
  const TestCert cert = authority.Issue(
      {.alternative_names = "IP:0.0.0.0,IP:255.1.20.3,IP:::,IP:2001:db8::ff00:42:8329,"
                            "IP:1:0:0:2:0:0:0:3,IP:1:0:2:3:4:5:6:7,IP:fe80::,IP:1:2:3:4:5:6:7:8"});
  EXPECT_THAT(Inspect(cert.Pem())->front().ip_addresses,
              ElementsAre("0.0.0.0", "255.1.20.3", "::", "2001:db8::ff00:42:8329", "1:0:0:2::3",
                          "1:0:2:3:4:5:6:7", "fe80::", "1:2:3:4:5:6:7:8"));
}

TEST(Inspect, NamesTheKindsOfKeys) {
  TestAuthority rsa("rsa", KeyKind::kRsa);
  TestAuthority ed("ed", KeyKind::kEd25519);
  EXPECT_EQ(Inspect(rsa.Pem())->front().key_type, "RSA 2048");
  EXPECT_EQ(Inspect(ed.Pem())->front().key_type, "Ed25519");
}

// Where OpenSSL asks a person when there is no terminal.
class StandardInput {
 public:
  explicit StandardInput(std::string_view typed) : saved_(dup(STDIN_FILENO)) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(write(ends[1], typed.data(), typed.size()), static_cast<ssize_t>(typed.size()));
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    close(ends[1]);
  }
  ~StandardInput() {
    dup2(saved_, STDIN_FILENO);
    close(saved_);
  }

 private:
  int saved_;
};

TEST(Inspect, AsksNobodyForThePasswordOfACertificate) {
  TestAuthority authority;
  const std::string password = "tunnel";
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  ASSERT_EQ(PEM_ASN1_write_bio(reinterpret_cast<i2d_of_void*>(i2d_X509), PEM_STRING_X509, bio.get(),
                               authority.cert().native(), EVP_aes_128_cbc(),
                               reinterpret_cast<const unsigned char*>(password.data()),
                               static_cast<int>(password.size()), nullptr, nullptr),
            1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  const StandardInput typing(password + "\n");
  const auto infos = Inspect({text, static_cast<size_t>(size)});
  EXPECT_EQ(infos.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Inspect, RefusesTextCutAtAnyByte) {
  const std::string pem = TestAuthority().Pem();
  const size_t end = pem.rfind('-') + 1;  // the final newline may be absent
  for (size_t size = 0; size < end; ++size) {
    const auto infos = Inspect(pem.substr(0, size));
    ASSERT_FALSE(infos.ok()) << size;
    EXPECT_THAT(Text(infos.status()), StartsWith("certificate: "));
  }
  EXPECT_TRUE(Inspect(pem.substr(0, end)).ok());
}

TEST(Inspect, RefusesGarbageBetweenCertificatesMarkers) {
  EXPECT_FALSE(Inspect("hello").ok());
  EXPECT_FALSE(Inspect("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").ok());
  const std::string good = TestAuthority().Pem();
  EXPECT_FALSE(
      Inspect(good + "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n").ok());
}

TEST(Check, AcceptsAChainInOrder) {
  TestAuthority root("root");
  const TestCert intermediate = root.Issue({.subject = {{"CN", "middle"}}, .authority = true});
  const TestCert leaf({.subject = {{"CN", "leaf"}}}, &intermediate);
  Bundle bundle{.certificate_pem = leaf.Pem() + intermediate.Pem(),
                .private_key_pem = leaf.key().Pem(),
                .ca_pem = root.Pem()};
  EXPECT_TRUE(Check(bundle, std::time(nullptr)).ok()) << Check(bundle, std::time(nullptr));
  bundle.certificate_pem = leaf.Pem() + root.Pem() + intermediate.Pem();
  EXPECT_THAT(Text(Check(bundle, std::time(nullptr))),
              HasSubstr("certificate: entry 2 (CN=root) did not issue the one before it"));
}

TEST(Check, ComparesDatesToTheSecond) {
  TestCerts certs;
  const Bundle bundle = BundleOf(certs.server);
  const CertificateInfo info = Inspect(certs.server.Pem())->front();
  EXPECT_TRUE(Check(bundle, info.not_before).ok());
  EXPECT_TRUE(Check(bundle, info.not_after).ok());
  EXPECT_EQ(Check(bundle, info.not_before - 1).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Text(Check(bundle, info.not_before - 1)), HasSubstr("is not yet valid"));
  EXPECT_EQ(Check(bundle, info.not_after + 1).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Text(Check(bundle, info.not_after + 1)), HasSubstr("has expired"));
}

TEST(Check, NamesTheFieldThatIsWrong) {
  TestCerts certs;
  const int64_t now = std::time(nullptr);
  Bundle bundle = BundleOf(certs.server, &certs.authority);
  bundle.private_key_pem = certs.client.key().Pem();
  EXPECT_EQ(Text(Check(bundle, now)), "private_key: does not belong to the certificate");
  bundle = BundleOf(certs.server, &certs.authority);
  bundle.ca_pem = "nothing";
  EXPECT_EQ(Text(Check(bundle, now)), "ca: no PEM certificates found");
  bundle = BundleOf(certs.server, &certs.authority);
  bundle.crl_pem = "nothing";
  EXPECT_EQ(Text(Check(bundle, now)), "crl: no PEM revocation lists found");
  bundle = BundleOf(certs.server);
  bundle.crl_pem = certs.authority.RevocationList({});
  EXPECT_EQ(Text(Check(bundle, now)), "crl: needs a ca");
  bundle = BundleOf(certs.server);
  bundle.certificate_pem.clear();
  EXPECT_EQ(Text(Check(bundle, now)), "certificate: missing, though there is a private key");
  EXPECT_TRUE(Check({}, now).ok());
}

TEST(Check, OpensEncryptedKeysByPasswordOnly) {
  TestCerts certs;
  Bundle bundle = BundleOf(certs.server);
  bundle.private_key_pem = certs.server.key().Pem("open sesame");
  const int64_t now = std::time(nullptr);
  EXPECT_EQ(Text(Check(bundle, now)), "private_key: is encrypted and no password is given");
  bundle.password = "wrong";
  EXPECT_EQ(Text(Check(bundle, now)), "private_key: cannot be decrypted by the password");
  bundle.password = std::string(100'000, 'x');
  EXPECT_EQ(Text(Check(bundle, now)), "private_key: cannot be decrypted by the password");
  bundle.password = "open sesame";
  EXPECT_TRUE(Check(bundle, now).ok());
  EXPECT_THAT(Text(Check(bundle, 0)), Not(HasSubstr("sesame")));
}

TEST(PlainKey, IsTheSameKeyWithoutItsPassword) {
  TestCerts certs;
  Bundle bundle = BundleOf(certs.server);
  bundle.private_key_pem = certs.server.key().Pem("open sesame");
  EXPECT_THAT(Text(PlainKey(bundle).status()), HasSubstr("private_key: is encrypted"));
  bundle.password = "open sesame";
  const auto plain = PlainKey(bundle);
  ASSERT_TRUE(plain.ok()) << plain.status();
  bundle.private_key_pem = std::string(plain->view());
  bundle.password = "";
  EXPECT_TRUE(Check(bundle, std::time(nullptr)).ok());
}

TEST(UidFormat, AcceptsItsLettersOnly) {
  EXPECT_TRUE(CheckUidFormat("").ok());
  EXPECT_TRUE(CheckUidFormat("cslun125o").ok());
  EXPECT_EQ(Text(CheckUidFormat("ox")), "uid_format: 'x' is none of c, s, l, o, u, n, 1, 2, 5");
  EXPECT_FALSE(CheckUidFormat("3").ok());
  EXPECT_FALSE(CheckUidFormat("n ").ok());
}

TEST(UserId, JoinsTheFieldsInTheOrderAsked) {
  TestCerts certs;
  const X509* client = certs.client.native();
  EXPECT_EQ(UserId(client, "cslоun"), "") << "a letter that is no ASCII o";
  EXPECT_EQ(UserId(client, "csloun"), "CH;Bern;Thun;Trunk Works;Lines;client one");
  EXPECT_EQ(UserId(client, "nc"), "client one;CH");
  EXPECT_EQ(UserId(client, ""), "");
  EXPECT_EQ(UserId(nullptr, "n"), "");
  EXPECT_THAT(UserId(client, "1"), MatchesRegex("[0-9a-f]{40}"));
  EXPECT_EQ(UserId(client, "2"), Inspect(certs.client.Pem())->front().sha256);
  EXPECT_THAT(UserId(client, "5"), MatchesRegex("[0-9a-f]{128}"));
  EXPECT_EQ(UserId(client, "2n"), UserId(client, "2") + ";client one");
}

TEST(UserId, IsEmptyIfAFieldIsMissingOrUnfit) {
  TestCerts certs;
  EXPECT_EQ(UserId(certs.server.native(), "n"), "server.example");
  EXPECT_EQ(UserId(certs.server.native(), "no"), "");
  const TestCert tricky =
      certs.authority.Issue({.subject = {{"CN", std::string("admin\0.evil", 11)}}});
  EXPECT_EQ(UserId(tricky.native(), "n"), "");
}

}  // namespace
}  // namespace trunkline::tls::test
