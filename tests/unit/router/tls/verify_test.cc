#include <stdlib.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/tls/openssl.h"
#include "router/tls/stage.h"
#include "tests/unit/router/tls/session_pair.h"

namespace trunkline::tls::test {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;
using State = TlsStage::State;

// Who is trusted by whom, in both versions of the protocol.
class Verify : public ::testing::TestWithParam<Version> {
 protected:
  ContextOptions Only(const std::string& uid_format = "") const {
    return {.min_version = GetParam(), .max_version = GetParam(), .uid_format = uid_format};
  }
  std::shared_ptr<const Context> Serving(const TestCert& cert) {
    return MustBuild(BundleOf(cert, &certs_.authority), Only());
  }
  std::shared_ptr<const Context> Trusting(const TestAuthority& authority) {
    return MustBuild({.ca_pem = authority.Pem()}, Only());
  }
  // A client that dials `name`, and what it thinks in the end; empty if it is content.
  std::string Dial(const TestCert& server, const ClientOptions& options) {
    Pair pair({.server = Serving(server),
               .client = Trusting(certs_.authority),
               .client_options = options});
    pair.Exchange();
    EXPECT_EQ(pair.client->state() == State::kOpen, pair.client->error().empty());
    if (pair.client->state() == State::kFailed) {
      EXPECT_THAT(pair.server->error(), HasSubstr("the peer refused: "));
    }
    return pair.client->error();
  }

  TestCerts certs_;
};

std::string NameOfVersion(const ::testing::TestParamInfo<Version>& info) {
  return info.param == Version::kTls12 ? "Tls12" : "Tls13";
}

INSTANTIATE_TEST_SUITE_P(Versions, Verify, ::testing::Values(Version::kTls12, Version::kTls13),
                         NameOfVersion);

TEST_P(Verify, ComparesTheNameDialled) {
  EXPECT_EQ(Dial(certs_.server, {.server_name = "server.example"}), "");
  EXPECT_EQ(Dial(certs_.server, {.server_name = "SERVER.example."}), "");
  const std::string error = Dial(certs_.server, {.server_name = "other.example"});
  EXPECT_EQ(error,
            "certificate of the peer: hostname mismatch at depth 0 (subject: CN=server.example), "
            "wanted: other.example");
  EXPECT_EQ(Dial(certs_.server, {.server_name = "other.example", .verify_hostname = false}), "");
}

TEST_P(Verify, ComparesAddressesAsAddresses) {
  EXPECT_EQ(Dial(certs_.server, {.server_name = "127.0.0.1"}), "");
  EXPECT_EQ(Dial(certs_.server, {.server_name = "::1"}), "");
  EXPECT_THAT(Dial(certs_.server, {.server_name = "127.0.0.2"}), HasSubstr("IP address mismatch"));
  Pair pair({.server = Serving(certs_.server),
             .client = Trusting(certs_.authority),
             .client_options = {.server_name = "127.0.0.1"}});
  pair.Exchange();
  EXPECT_EQ(pair.server->peer().sni, "") << "an address is not sent as a name";
}

TEST_P(Verify, NeedsANameToCompare) {
  auto client = TlsStage::Client(Trusting(certs_.authority), {});
  EXPECT_EQ(client->state(), State::kFailed);
  EXPECT_EQ(client->error(), "no server name to verify");
  EXPECT_EQ(Dial(certs_.server, {.verify_hostname = false}), "");
}

TEST_P(Verify, KnowsWildcardsOfWholeLabelsOnly) {
  const TestCert wild = certs_.authority.Issue({.alternative_names = "DNS:*.lines.example"});
  EXPECT_EQ(Dial(wild, {.server_name = "a.lines.example"}), "");
  EXPECT_THAT(Dial(wild, {.server_name = "a.b.lines.example"}), HasSubstr("hostname mismatch"));
  const TestCert part = certs_.authority.Issue({.alternative_names = "DNS:w*.lines.example"});
  EXPECT_THAT(Dial(part, {.server_name = "web.lines.example"}), HasSubstr("hostname mismatch"));
}

TEST_P(Verify, RefusesUnknownAuthorities) {
  TestAuthority stranger("Stranger");
  Pair pair({.server = Serving(certs_.server), .client = Trusting(stranger)});
  pair.Exchange();
  EXPECT_THAT(pair.client->error(), HasSubstr("unable to get local issuer certificate"));
  EXPECT_EQ(pair.server->error(), "the peer refused: unknown CA");
  // Without an authority of its own, a client trusts what the system trusts: not this one.
  Pair system({.server = Serving(certs_.server), .client = MustBuild({}, Only())});
  system.Exchange();
  EXPECT_THAT(system.client->error(), HasSubstr("unable to get local issuer certificate"));
}

// The system trusts whom the test wants.
class VerifyBySystem : public Verify {
 protected:
  VerifyBySystem() {
    EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
    file_ = folder_ + "/ca.crt";
    ::setenv("SSL_CERT_FILE", file_.c_str(), 1);
    ::setenv("SSL_CERT_DIR", folder_.c_str(), 1);
  }
  ~VerifyBySystem() override {
    ::unsetenv("SSL_CERT_FILE");
    ::unsetenv("SSL_CERT_DIR");
    std::filesystem::remove_all(folder_);
  }
  void Trust(const TestAuthority& authority) {
    std::ofstream(file_ + ".next") << authority.Pem();
    std::filesystem::rename(file_ + ".next", file_);
  }
  std::shared_ptr<const Context> Build() { return MustBuild({}, Only()); }
  std::string Dial(const std::shared_ptr<const Context>& client) {
    Pair pair({.server = Serving(certs_.server), .client = client});
    pair.Exchange();
    return pair.client->error();
  }

  std::string folder_ = ::testing::TempDir() + "trustXXXXXX";
  std::string file_;
};

INSTANTIATE_TEST_SUITE_P(Versions, VerifyBySystem,
                         ::testing::Values(Version::kTls12, Version::kTls13), NameOfVersion);

TEST_P(VerifyBySystem, TrustsWhomItTrustsByNow) {
  Trust(certs_.authority);
  const auto before = Build();
  EXPECT_EQ(Dial(before), "");
  EXPECT_EQ(Dial(Build()), "");
  Trust(TestAuthority("Stranger"));
  EXPECT_THAT(Dial(Build()), HasSubstr("unable to get local issuer"));
  EXPECT_EQ(Dial(before), "");
  std::filesystem::remove(file_);
  EXPECT_THAT(Dial(Build()), HasSubstr("unable to get local issuer"));
}

TEST_P(VerifyBySystem, TrustsWhomItsFoldersHaveByNow) {
  const std::string pem = certs_.authority.Pem();
  auto certificates = ParseCertificates(pem);
  ASSERT_TRUE(certificates.ok());
  const unsigned long hash = X509_subject_name_hash(certificates->front().get());
  const std::string file = absl::StrFormat("%s/%08x.0", folder_, hash);
  std::ofstream(file) << pem;
  // Long ago: a change within a tick of the kernel's clock is none.
  std::filesystem::last_write_time(folder_, std::filesystem::file_time_type::clock::now() - 1h);
  EXPECT_EQ(Dial(Build()), "");
  EXPECT_EQ(Dial(Build()), "");
  std::filesystem::remove(file);
  EXPECT_THAT(Dial(Build()), HasSubstr("unable to get local issuer"));
  ::setenv("SSL_CERT_DIR", ("/nowhere:" + folder_).c_str(), 1);
  std::ofstream(file) << pem;
  EXPECT_EQ(Dial(Build()), "");
}

TEST_P(VerifyBySystem, ReadsAgainWhatItHadNoDescriptorFor) {
  Trust(certs_.authority);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto client = Build();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(Dial(client), HasSubstr("unable to get local issuer"));
  EXPECT_EQ(Dial(Build()), "");
}

TEST_P(Verify, DoesNotLookWhenToldSo) {
  TestAuthority stranger("Stranger");
  Pair pair({.server = Serving(certs_.expired),
             .client = Trusting(stranger),
             .client_options = {.server_name = "x.example", .verify_peer = false}});
  pair.Exchange();
  ASSERT_TRUE(pair.BothOpen()) << pair.client->error();
  EXPECT_FALSE(pair.client->peer().certificate_verified);
  EXPECT_EQ(pair.client->peer().subject, "CN=server.example");
}

TEST_P(Verify, ComparesDates) {
  EXPECT_THAT(Dial(certs_.expired, {.server_name = "server.example"}),
              HasSubstr("certificate has expired at depth 0"));
  EXPECT_THAT(Dial(certs_.not_yet_valid, {.server_name = "server.example"}),
              HasSubstr("certificate is not yet valid at depth 0"));
}

TEST_P(Verify, HonoursRevocationLists) {
  const TestCert revoked = certs_.authority.Issue({.alternative_names = "DNS:server.example"});
  const std::string list = certs_.authority.RevocationList({revoked});
  const auto client = MustBuild({.ca_pem = certs_.authority.Pem(), .crl_pem = list}, Only());
  Pair good({.server = Serving(certs_.server), .client = client});
  good.Exchange();
  EXPECT_TRUE(good.BothOpen()) << good.client->error();
  Pair bad({.server = Serving(revoked), .client = client});
  bad.Exchange();
  EXPECT_THAT(bad.client->error(), HasSubstr("certificate revoked at depth 0"));
  EXPECT_EQ(bad.server->error(), "the peer refused: certificate revoked");
}

TEST_P(Verify, WantsARevocationListForEveryAuthorityOfTheChain) {
  const TestCert middle =
      certs_.authority.Issue({.subject = {{"CN", "middle"}}, .authority = true});
  const TestCert leaf({.alternative_names = "DNS:server.example"}, &middle);
  Bundle bundle = BundleOf(leaf);
  bundle.certificate_pem += middle.Pem();
  Pair pair({.server = MustBuild(bundle, Only()),
             .client = MustBuild(
                 {.ca_pem = certs_.authority.Pem(), .crl_pem = certs_.authority.RevocationList({})},
                 Only())});
  pair.Exchange();
  EXPECT_THAT(pair.client->error(), HasSubstr("unable to get certificate CRL at depth 0"));
}

TEST_P(Verify, ServersTakeClientsWithoutCertificateUnlessRequired) {
  Pair none({.server = Serving(certs_.server), .client = Trusting(certs_.authority)});
  none.Exchange();
  EXPECT_TRUE(none.BothOpen());
  Pair requested({.server = Serving(certs_.server),
                  .client = Trusting(certs_.authority),
                  .client_auth = ClientAuth::kRequest});
  requested.Exchange();
  ASSERT_TRUE(requested.BothOpen()) << requested.server->error();
  EXPECT_FALSE(requested.server->peer().certificate_verified);
  EXPECT_EQ(requested.server->peer().user_id, "");
}

TEST_P(Verify, ServersRefuseClientsWithoutCertificateIfRequired) {
  Pair pair({.server = Serving(certs_.server),
             .client = Trusting(certs_.authority),
             .client_auth = ClientAuth::kRequire});
  pair.Exchange();
  EXPECT_EQ(pair.server->state(), State::kFailed);
  EXPECT_EQ(pair.server->error(), "the peer showed no certificate");
  // In 1.3 the client is open before the server has looked at it: it learns by the alert.
  EXPECT_EQ(pair.client->state(), State::kFailed);
  EXPECT_THAT(pair.client->error(), HasSubstr("the peer refused: "));
}

TEST_P(Verify, ServersRefuseWrongCertificatesEvenIfOnlyRequested) {
  TestAuthority stranger("Stranger");
  const TestCert foreign = stranger.Issue({});
  const TestCert old =
      certs_.authority.Issue({.not_before_seconds = -7200, .not_after_seconds = -3600});
  for (const ClientAuth auth : {ClientAuth::kRequest, ClientAuth::kRequire}) {
    Pair unknown({.server = Serving(certs_.server),
                  .client = MustBuild(BundleOf(foreign, &certs_.authority), Only()),
                  .client_auth = auth});
    unknown.Exchange();
    EXPECT_THAT(unknown.server->error(), HasSubstr("unable to get local issuer certificate"));
    EXPECT_EQ(unknown.client->error(), "the peer refused: unknown CA");
    Pair expired({.server = Serving(certs_.server),
                  .client = MustBuild(BundleOf(old, &certs_.authority), Only()),
                  .client_auth = auth});
    expired.Exchange();
    EXPECT_THAT(expired.server->error(), HasSubstr("certificate has expired"));
    EXPECT_EQ(expired.client->error(), "the peer refused: certificate expired");
  }
}

TEST_P(Verify, ServersWithoutAuthorityTrustNobody) {
  Pair pair({.server = MustBuild(BundleOf(certs_.server), Only()),
             .client = MustBuild(BundleOf(certs_.client, &certs_.authority), Only()),
             .client_auth = ClientAuth::kRequire});
  pair.Exchange();
  EXPECT_EQ(pair.server->state(), State::kFailed);
  EXPECT_THAT(pair.server->error(), HasSubstr("unable to get local issuer certificate"));
}

TEST_P(Verify, ServersTellWhoTheClientIs) {
  Pair pair({.server = MustBuild(BundleOf(certs_.server, &certs_.authority), Only("no")),
             .client = MustBuild(BundleOf(certs_.client, &certs_.authority), Only()),
             .client_auth = ClientAuth::kRequire});
  pair.Exchange();
  ASSERT_TRUE(pair.BothOpen()) << pair.server->error();
  const PeerInfo info = pair.server->peer();
  EXPECT_TRUE(info.certificate_verified);
  EXPECT_EQ(info.subject, "CN=client one,OU=Lines,O=Trunk Works,L=Thun,ST=Bern,C=CH");
  EXPECT_EQ(info.user_id, "client one;Trunk Works");
}

TEST_P(Verify, AForgedKeyIsNoIdentity) {
  // The client's certificate with a key of somebody else cannot even be loaded; on the wire the
  // signature over the handshake would not fit.
  Bundle bundle = BundleOf(certs_.client, &certs_.authority);
  bundle.private_key_pem = TestKey().Pem();
  EXPECT_FALSE(Context::Build(bundle, Only()).ok());
}

}  // namespace
}  // namespace trunkline::tls::test
