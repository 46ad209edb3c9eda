#include "control/certs/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "control/certs/files.h"

namespace trunkline::certs {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// A self-signed certificate "CN=router" for 100 years from 2026 on, made by openssl(1), once.
class Certificates : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = ::testing::TempDir() + "certsXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = new std::filesystem::path(name);
    Make("tls", "");
    Make("other", "");
    Make("locked", "-passout pass:open-sesame");
  }
  static void TearDownTestSuite() {
    std::filesystem::remove_all(*folder_);
    delete folder_;
  }
  static void Make(const std::string& name, const std::string& password) {
    const std::string command =
        "cd " + folder_->string() + " && openssl req -x509 -newkey ec " +
        "-pkeyopt ec_paramgen_curve:prime256v1 " + (password.empty() ? "-nodes " : password + " ") +
        "-subj /CN=router -days 36500 -keyout " + name + ".key -out " + name + ".crt 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  static std::string File(const std::string& name) { return (*folder_ / name).string(); }
  static std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(File(name)) << text;
    return File(name);
  }
  static v1::TlsProfileSpec Spec(const std::string& name) {
    v1::TlsProfileSpec spec;
    spec.set_certificate_file(File(name + ".crt"));
    spec.set_private_key_file(File(name + ".key"));
    return spec;
  }
  static int64_t Now() { return LoadProfile(Spec("tls"), {.now = 0})->leaf.not_before + 60; }
  static std::string Error(const v1::TlsProfileSpec& spec) {
    return std::string(LoadProfile(spec, {.now = Now()}).status().message());
  }

  static std::filesystem::path* folder_;
};
std::filesystem::path* Certificates::folder_ = nullptr;

TEST_F(Certificates, AreLoaded) {
  const auto profile = LoadProfile(Spec("tls"), {.now = Now()});
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_TRUE(profile->context->has_certificate());
  EXPECT_FALSE(profile->context->has_ca());
  EXPECT_EQ(profile->leaf.subject, "CN=router");
  EXPECT_TRUE(profile->dates.ok());
  EXPECT_THAT(profile->warnings, IsEmpty());
}

TEST_F(Certificates, TellWhenTheFirstThatIsTrustedExpires) {
  v1::TlsProfileSpec spec = Spec("tls");
  EXPECT_EQ(LoadProfile(spec, {.now = Now()})->ca_not_after, 0);
  spec.set_ca_file(spec.certificate_file());
  const auto profile = LoadProfile(spec, {.now = Now()});
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->ca_not_after, profile->leaf.not_after);
  EXPECT_GT(profile->ca_not_after, Now());
}

TEST_F(Certificates, OfTheSystemNeedNoFile) {
  const auto profile = LoadProfile({}, {.now = Now()});
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_FALSE(profile->context->has_certificate());
  EXPECT_EQ(profile->leaf.subject, "");
}

TEST_F(Certificates, OpenWithThePasswordAndItsLineEnd) {
  v1::TlsProfileSpec spec = Spec("locked");
  EXPECT_THAT(Error(spec), StartsWith("private_key_file: "));
  for (const char* text : {"open-sesame", "open-sesame\n", "open-sesame\r\n"}) {
    spec.set_password_file(Write("password", text));
    EXPECT_EQ(Error(spec), "") << text;
  }
  for (const char* text : {"open-sesame\n\n", " open-sesame", "wrong"}) {
    spec.set_password_file(Write("password", text));
    EXPECT_THAT(Error(spec), AllOf(StartsWith("private_key_file: "), Not(HasSubstr("sesame"))));
  }
}

TEST_F(Certificates, HaveFingerprintsThatFollowFilesAndSettings) {
  v1::TlsProfileSpec spec = Spec("tls");
  const uint64_t first = LoadProfile(spec, {.now = Now()})->fingerprint;
  EXPECT_EQ(LoadProfile(spec, {.now = Now()})->fingerprint, first);
  EXPECT_NE(LoadProfile(Spec("other"), {.now = Now()})->fingerprint, first);
  spec.set_ciphers("ECDHE+AESGCM");
  EXPECT_NE(LoadProfile(spec, {.now = Now()})->fingerprint, first);
}

TEST_F(Certificates, AreToldByFieldWhenTheyAreBad) {
  v1::TlsProfileSpec spec = Spec("tls");
  spec.set_private_key_file(File("other.key"));
  EXPECT_EQ(Error(spec), "private_key_file: the private key in " + File("other.key") +
                             " does not belong to the certificate in " + spec.certificate_file() +
                             " (" + LoadProfile(Spec("tls"), {.now = Now()})->leaf.subject + ")");
  spec = Spec("tls");
  spec.set_certificate_file(File("missing"));
  EXPECT_EQ(Error(spec), "certificate_file: " + File("missing") + ": No such file or directory");
  spec = Spec("tls");
  spec.set_ca_file(Write("empty", ""));
  EXPECT_EQ(Error(spec), "ca_file: " + File("empty") + ": empty");
  spec.set_ca_file(Write("garbage", "garbage"));
  EXPECT_THAT(Error(spec), StartsWith("ca_file: "));
  spec = Spec("tls");
  spec.set_ciphers("no such cipher");
  EXPECT_THAT(Error(spec), StartsWith("ciphers: "));
  spec.set_ciphers("");
  spec.set_cipher_suites("NONE");
  EXPECT_THAT(Error(spec), StartsWith("cipher_suites: "));
}

TEST_F(Certificates, AreReadUpToTheBoundAndNotBeyond) {
  std::string pem(kPemBytesMax, '\n');
  v1::TlsProfileSpec spec;
  spec.set_ca_file(Write("large", pem));
  EXPECT_TRUE(ReadBundle(spec).ok());
  spec.set_ca_file(Write("large", pem + "\n"));
  EXPECT_THAT(std::string(ReadBundle(spec).status().message()), HasSubstr("larger than 1048576"));
}

TEST_F(Certificates, OutsideTheirDatesAreLoadedAndToldApart) {
  const int64_t end = LoadProfile(Spec("tls"), {.now = Now()})->leaf.not_after;
  const auto late = LoadProfile(Spec("tls"), {.now = end + 1});
  ASSERT_TRUE(late.ok());
  EXPECT_EQ(late->dates.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(late->dates.message(), "certificate_file: CN=router has expired");
  EXPECT_NE(late->context, nullptr);
  EXPECT_TRUE(LoadProfile(Spec("tls"), {.now = end})->dates.ok());
  EXPECT_EQ(LoadProfile(Spec("tls"), {.now = 0})->dates.message(),
            "certificate_file: CN=router is not yet valid");
}

TEST_F(Certificates, ThatAreGivenCountInsteadOfFiles) {
  const tls::Bundle other = *ReadBundle(Spec("other"));
  const tls::Bundle tls = *ReadBundle(Spec("tls"));
  config::InlineCertificate given = {other.certificate_pem, Secret(other.private_key_pem), ""};
  v1::TlsProfileSpec spec = Spec("tls");
  spec.set_ca_file(spec.certificate_file());
  auto profile = LoadProfile(spec, {.now = Now(), .given = &given});
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->leaf.sha256, LoadProfile(Spec("other"), {.now = Now()})->leaf.sha256);
  EXPECT_EQ(profile->certificates->trusted.at(0).sha256,
            LoadProfile(Spec("tls"), {.now = Now()})->leaf.sha256);
  given.ca = other.certificate_pem;
  profile = LoadProfile(spec, {.now = Now(), .given = &given});
  EXPECT_EQ(profile->certificates->trusted.at(0).sha256, profile->leaf.sha256);
  given.private_key = Secret(tls.private_key_pem);
  const absl::Status refused = LoadProfile(spec, {.now = Now(), .given = &given}).status();
  EXPECT_EQ(tls::FaultOf(refused), "KEY_MISMATCH");
  EXPECT_EQ(refused.message(),
            "private_key_file: does not belong to the certificate (" + profile->leaf.subject + ")");
}

TEST_F(Certificates, ThatAreGivenAndLockedOpenWithTheFileOfThePassword) {
  const tls::Bundle locked = *ReadBundle(Spec("locked"));
  const config::InlineCertificate given = {locked.certificate_pem, Secret(locked.private_key_pem),
                                           ""};
  v1::TlsProfileSpec spec;
  EXPECT_FALSE(LoadProfile(spec, {.now = Now(), .given = &given}).ok());
  spec.set_password_file(Write("password", "open-sesame\n"));
  EXPECT_TRUE(LoadProfile(spec, {.now = Now(), .given = &given}).ok());
}

TEST_F(Certificates, AreKeptForTheApiWhereItAsksForThem) {
  v1::TlsProfileSpec spec = Spec("tls");
  spec.set_ca_file(spec.certificate_file());
  EXPECT_EQ(LoadProfile(spec, {.now = Now()})->for_api, nullptr);
  const auto for_api = LoadProfile(spec, {.now = Now(), .for_api = true})->for_api;
  ASSERT_NE(for_api, nullptr);
  EXPECT_THAT(for_api->chain, StartsWith("-----BEGIN CERTIFICATE"));
  EXPECT_THAT(std::string(for_api->private_key.view()), StartsWith("-----BEGIN PRIVATE KEY"));
  EXPECT_EQ(for_api->ca, for_api->chain);
  EXPECT_EQ(LoadProfile({}, {.now = Now(), .for_api = true})->for_api, nullptr);
}

TEST_F(Certificates, TellProgramsWhatIsWrong) {
  const auto fault = [](const v1::TlsProfileSpec& spec) {
    return tls::FaultOf(LoadProfile(spec, {.now = Now()}).status());
  };
  v1::TlsProfileSpec spec = Spec("tls");
  EXPECT_EQ(fault(spec), "");
  spec.set_private_key_file(File("other.key"));
  EXPECT_EQ(fault(spec), "KEY_MISMATCH");
  spec.set_private_key_file(File("missing"));
  EXPECT_EQ(fault(spec), "FILE_UNREADABLE");
  spec.set_private_key_file(Write("garbage", "garbage"));
  EXPECT_EQ(fault(spec), "");  // in words alone
  spec = Spec("tls");
  spec.set_certificate_file(File("both.crt"));
  std::ofstream(File("both.crt")) << ReadBundle(Spec("tls"))->certificate_pem
                                  << ReadBundle(Spec("other"))->certificate_pem;
  EXPECT_EQ(fault(spec), "CHAIN_BROKEN");
  const int64_t end = LoadProfile(Spec("tls"), {.now = Now()})->leaf.not_after;
  EXPECT_EQ(tls::FaultOf(LoadProfile(Spec("tls"), {.now = end + 1})->dates), "CERTIFICATE_EXPIRED");
  EXPECT_EQ(tls::FaultOf(LoadProfile(Spec("tls"), {.now = 0})->dates), "CERTIFICATE_NOT_YET_VALID");
}

TEST_F(Certificates, HaveAStampThatFollowsTheirFiles) {
  v1::TlsProfileSpec spec = Spec("tls");
  const uint64_t before = StampOf(spec);
  EXPECT_EQ(StampOf(spec), before);
  EXPECT_EQ(LoadProfile(spec, {.now = Now()})->stamp, before);
  spec.set_crl_file(Write("crl", "first"));
  const uint64_t first = StampOf(spec);
  EXPECT_NE(first, before);
  Write("crl", "longer than before");
  EXPECT_NE(StampOf(spec), first);
  std::filesystem::remove(File("crl"));
  EXPECT_NE(StampOf(spec), first);
}

// As Kubernetes mounts a Secret: files are links into a folder that "..data" leads to.
TEST_F(Certificates, HaveAStampThatFollowsLinks) {
  for (const char* name : {"one", "two"}) {
    std::filesystem::create_directory(File(name));
    Write(std::string(name) + "/tls.crt", "same");
  }
  std::filesystem::create_directory_symlink("one", File("..data"));
  std::filesystem::create_symlink("..data/tls.crt", File("linked.crt"));
  v1::TlsProfileSpec spec;
  spec.set_certificate_file(File("linked.crt"));
  const uint64_t before = StampOf(spec);
  std::filesystem::create_directory_symlink("two", File("..data_tmp"));
  std::filesystem::rename(File("..data_tmp"), File("..data"));
  EXPECT_NE(StampOf(spec), before);
}

TEST_F(Certificates, WarnOfKeysThatEverybodyReads) {
  EXPECT_EQ(KeyExposure(File("missing")), "");
  ::chmod(File("other.key").c_str(), 0640);
  EXPECT_EQ(KeyExposure(File("other.key")), "");
  ::chmod(File("other.key").c_str(), 0644);
  EXPECT_THAT(LoadProfile(Spec("other"), {.now = Now()})->warnings,
              ElementsAre("private_key_file: " + File("other.key") + " is readable by every user"));
  ::chmod(File("other.key").c_str(), 0600);
}

}  // namespace
}  // namespace trunkline::certs
