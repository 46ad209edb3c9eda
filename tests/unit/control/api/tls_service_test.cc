// Certificates over the API, on the real store and a real router.
#include "control/api/tls_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/certs/profile.h"
#include "control/config/error_details.h"
#include "google/protobuf/text_format.h"

namespace trunkline::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

namespace fs = std::filesystem;

std::string Read(const fs::path& file) {
  std::ifstream stream(file);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

class Tls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = ::testing::TempDir() + "tlsXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    pems_ = new fs::path(name);
    for (const char* one : {"a", "b"}) {
      const std::string command = "cd " + name + " && openssl req -x509 -newkey ec -pkeyopt " +
                                  "ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + one +
                                  " -days 36500 -addext " + "subjectAltName=DNS:" + one +
                                  ".example -keyout " + one + ".key -out " + one +
                                  ".crt 2>/dev/null";
      ASSERT_EQ(std::system(command.c_str()), 0);
    }
    // Its name is a, 0xff, b.
    const std::string command = "cd " + name + " && openssl req -x509 -newkey ec -pkeyopt " +
                                "ec_paramgen_curve:prime256v1 -nodes -subj /CN=odd -days 36500 " +
                                "-addext subjectAltName=DER:3005820361ff62 -keyout odd.key " +
                                "-out odd.crt 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  static void TearDownTestSuite() {
    fs::remove_all(*pems_);
    delete pems_;
  }

  Tls() {
    std::string name = ::testing::TempDir() + "tlsXXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    Put("a");
    std::ofstream(folder_ / "t.yaml")
        << "tls_profiles:\n  - name: filed\n    certificate_file: tls.crt\n"
           "    private_key_file: tls.key\n    ca_file: tls.crt\n";
    v1::TlsProfileSpec spec;
    spec.set_certificate_file(*pems_ / "a.crt");
    spec.set_private_key_file(*pems_ / "a.key");
    const int64_t now = (certs::LoadProfile(spec, {})->leaf.not_before + 3600) * 1000;
    auto opened = store::Store::Open({.file = folder_ / "t.yaml"},
                                     {.post = [](const std::function<void()>& run) { run(); },
                                      .now = [now] { return now; },
                                      .random = random_});
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    router_ = *Router::Start({.id = "router"}, [] {});
    tls_ = std::make_unique<TlsService>(
        *store_, *router_,
        TlsService::Hooks{.clock = [this] { return now_; },
                          .status_changed = [this](const auto& name) { told_.push_back(name); }});
    EXPECT_THAT(store_->Start(*router_, [this](const auto&) { tls_->Refresh(); }), IsEmpty());
    tls_->Refresh();
    told_.clear();
    handlers_ = tls_->MakeHandlers();
    store_->Mutate(
        [](config::Document& made) {
          made.tls_profiles["made"].set_name("tlsProfiles/made");
          return absl::OkStatus();
        },
        store::Store::Mode::kApply, [](const auto& done) { EXPECT_TRUE(done.ok()); });
    told_.clear();
  }
  ~Tls() override {
    handlers_.clear();
    store_.reset();
    router_.reset();
    fs::remove_all(folder_);
  }

  void Put(const std::string& name) {
    for (const char* end : {".crt", ".key"}) {
      fs::copy_file(*pems_ / (name + end), folder_ / "next");
      fs::rename(folder_ / "next", folder_ / ("tls" + std::string(end)));
    }
  }

  template <typename Reply, typename Request>
  absl::StatusOr<Reply> Do(const std::string& path, const Request& given) {
    const Method* method = methods_.Find("/trunkline.control.v1.TlsService/" + path);
    auto request = method->NewRequest();
    request->CopyFrom(given);
    absl::StatusOr<Reply> answer = absl::UnknownError("under way");
    Reply reply;
    Call::Exits exits;
    exits.write = [&](const google::protobuf::Message& written) { reply.CopyFrom(written); };
    exits.finish = [&](const absl::Status& status) {
      answer = status.ok() ? absl::StatusOr<Reply>(reply) : status;
    };
    handlers_.at(method->key())(
        std::make_shared<Call>(*method, std::move(request), Caller{"local"}, exits));
    return answer;
  }
  absl::StatusOr<v1::RotateCertificateResponse> Rotate(const v1::RotateCertificateRequest& what) {
    return Do<v1::RotateCertificateResponse>("RotateCertificate", what);
  }
  // The rest as text.
  static v1::RotateCertificateRequest From(const std::string& text) {
    v1::RotateCertificateRequest request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
    return request;
  }
  static v1::RotateCertificateRequest Given(const std::string& certificate,
                                            const std::string& key) {
    v1::RotateCertificateRequest request;
    request.set_name("tlsProfiles/made");
    request.mutable_inline_()->set_certificate(Read(*pems_ / (certificate + ".crt")));
    request.mutable_inline_()->set_private_key(Read(*pems_ / (key + ".key")));
    return request;
  }
  v1::TlsProfileStatus Status(const std::string& id) {
    v1::TlsProfile profile;
    tls_->FillStatus(id, profile);
    return profile.status();
  }

  static fs::path* pems_;
  fs::path folder_;
  Time now_{1'000'000'000};
  Random random_{7};
  MethodTable methods_;
  std::vector<std::string> told_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<TlsService> tls_;
  Handlers handlers_;
};
fs::path* Tls::pems_ = nullptr;

TEST_F(Tls, SaysWhatIsInForceThenAndTellsWhoWatches) {
  Put("b");
  const auto reply = Rotate(From("name: 'tlsProfiles/filed' files {}"));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_TRUE(reply->changed());
  EXPECT_EQ(reply->tls_profile().name(), "tlsProfiles/filed");
  const v1::TlsProfileStatus& status = reply->tls_profile().status();
  EXPECT_EQ(status.active().subject(), "CN=b");
  EXPECT_EQ(status.active().ordinal(), 2u);
  EXPECT_TRUE(status.active().active());
  EXPECT_THAT(status.active().dns_names(), ElementsAre("b.example"));
  EXPECT_EQ(status.revisions_size(), 1);  // nobody uses the other one
  EXPECT_EQ(status.next_expiry().seconds(), status.active().not_after().seconds());
  EXPECT_THAT(told_, ElementsAre("tlsProfiles/filed"));
  EXPECT_THAT(reply->warnings(), ElementsAre(HasSubstr("\"a.example\"")));
}

TEST_F(Tls, DoesNothingTwiceForOneRequestId) {
  auto request =
      From("name: 'tlsProfiles/filed' files {} request_id: '6d8f3a1e-0000-4000-8000-000000000001'");
  Put("b");
  EXPECT_TRUE(Rotate(request)->changed());
  Put("a");
  EXPECT_EQ(Rotate(request)->tls_profile().status().active().subject(), "CN=b");
  EXPECT_EQ(Status("filed").active().subject(), "CN=b");
}

TEST_F(Tls, ShowsWhatIsGivenButNeverItsKey) {
  const auto reply = Rotate(Given("b", "b"));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_TRUE(reply->tls_profile().status().inline_certificate());
  EXPECT_FALSE(reply->persisted());
  EXPECT_THAT(reply->warnings(), ElementsAre(HasSubstr("no state directory")));
  EXPECT_THAT(reply->DebugString(), Not(HasSubstr("PRIVATE KEY")));
  v1::GetCertificatesRequest get;
  get.set_name("tlsProfiles/made");
  const auto all = Do<v1::GetCertificatesResponse>("GetCertificates", get);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->certificates_size(), 1);
  EXPECT_EQ(all->certificates(0).source(), "inline");
  EXPECT_EQ(all->certificates(0).use(), v1::Certificate::USE_OWN);
  EXPECT_THAT(all->DebugString(), Not(HasSubstr("PRIVATE KEY")));
}

TEST_F(Tls, TellsNamesThatAreNoTextAsUtf8) {
  const auto reply = Rotate(Given("odd", "odd"));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_THAT(reply->tls_profile().status().active().dns_names(), ElementsAre("a\uFFFDb"));
  v1::GetCertificatesRequest get;
  get.set_name("tlsProfiles/made");
  const auto all = Do<v1::GetCertificatesResponse>("GetCertificates", get);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_THAT(all->certificates(0).dns_names(), ElementsAre("a\uFFFDb"));
  const auto back = Rotate(Given("a", "a"));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_THAT(back->warnings(), testing::Contains(HasSubstr("a\uFFFDb")));
}

TEST_F(Tls, ListsOwnAndTrustedCertificates) {
  v1::GetCertificatesRequest get;
  get.set_name("tlsProfiles/filed");
  const auto all = Do<v1::GetCertificatesResponse>("GetCertificates", get);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->certificates_size(), 2);
  EXPECT_EQ(all->certificates(0).source(), folder_ / "tls.crt");
  EXPECT_EQ(all->certificates(0).key_type(), "EC prime256v1");
  EXPECT_EQ(all->certificates(1).use(), v1::Certificate::USE_TRUSTED);
  EXPECT_EQ(all->trusted(), 1u);
  EXPECT_EQ(all->revisions_size(), 1);
  get.set_name("tlsProfiles/other");
  EXPECT_EQ(config::ReasonOf(Do<v1::GetCertificatesResponse>("GetCertificates", get).status()),
            "TLS_PROFILE_NOT_FOUND");
}

TEST_F(Tls, RefusesWhatMakesNoSense) {
  struct Case {
    const char* request;
    const char* field;
  };
  for (const Case& one : {
           Case{"name: 'tlsProfiles/filed'", "files"},
           Case{"name: 'listeners/filed' files {}", "name"},
           Case{"name: 'tlsProfiles/other' files {}", "name"},
           Case{"name: 'tlsProfiles/made' inline {}", "inline.certificate"},
           Case{"name: 'tlsProfiles/made' inline { certificate: 'x' }", "inline.private_key"},
           Case{"name: 'tlsProfiles/filed' files {} retire_old: RETIRE_OLD_IMMEDIATE "
                "retire_after { seconds: 1 }",
                "retire_after"},
           Case{"name: 'tlsProfiles/filed' files {} retire_old: RETIRE_OLD_GRACEFUL "
                "retire_after { seconds: 2592001 }",
                "retire_after"},
           Case{"name: 'tlsProfiles/filed' files {} retire_old: RETIRE_OLD_GRACEFUL "
                "retire_after { seconds: -1 }",
                "retire_after"},
           Case{"name: 'tlsProfiles/filed' files {} request_id: 'x'", "request_id"},
       }) {
    const absl::Status status = Rotate(From(one.request)).status();
    const auto violations = config::ViolationsOf(status);
    ASSERT_EQ(violations.size(), 1u) << one.request << status;
    EXPECT_EQ(violations[0].field, one.field) << one.request;
  }
  EXPECT_TRUE(Rotate(From("name: 'tlsProfiles/filed' files {} retire_old: RETIRE_OLD_GRACEFUL "
                          "retire_after { seconds: 2592000 }"))
                  .ok());
}

TEST_F(Tls, SaysWhatIsWrongInWordsOfTheRequest) {
  const absl::Status status = Rotate(Given("a", "b")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(config::ReasonOf(status), "KEY_MISMATCH");
  EXPECT_EQ(status.message(), "inline.private_key: does not belong to the certificate (CN=a)");
  EXPECT_EQ(config::ViolationsOf(status).at(0).field, "inline.private_key");
  EXPECT_EQ(config::ViolationsOf(status).at(0).description,
            "does not belong to the certificate (CN=a)");
  fs::copy_file(*pems_ / "b.key", folder_ / "tls.key", fs::copy_options::overwrite_existing);
  EXPECT_EQ(Rotate(From("name: 'tlsProfiles/filed' files {}")).status().message().substr(0, 19),
            "the private key in ");
  EXPECT_EQ(Status("made").active().subject(), "");
  auto large = Given("a", "a");
  large.mutable_inline_()->set_ca(std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(config::ViolationsOf(Rotate(large).status()).at(0).field, "inline.ca");
  ASSERT_TRUE(Rotate(Given("a", "a")).ok());
  EXPECT_THAT(std::string(Rotate(Given("a", "b")).status().message()),
              HasSubstr("; the running certificate (CN=a, expires 21"));
}

TEST_F(Tls, TellsOfTroubleUntilItIsOver) {
  fs::remove(folder_ / "tls.key");
  for (int look = 0; look < 3; ++look) store_->FollowTls();
  EXPECT_THAT(Status("filed").last_reload_error().message(), HasSubstr("tls.key: No such file"));
  EXPECT_THAT(told_, ElementsAre("tlsProfiles/filed"));
  Put("b");
  store_->FollowTls();
  EXPECT_FALSE(Status("filed").has_last_reload_error());
  EXPECT_EQ(Status("filed").active().subject(), "CN=b");
}

}  // namespace
}  // namespace trunkline::api
