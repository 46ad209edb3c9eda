// Certificates that are replaced, over the real store, a real router and a real disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>

#include "control/certs/files.h"
#include "control/config/error_details.h"
#include "control/store/state_format.h"
#include "control/store/store.h"

namespace trunkline::store {
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

// While it lives the first worker of this process stands: in the handler of a signal.
class StandingWorker {
 public:
  StandingWorker() {
    EXPECT_EQ(::pipe(go_), 0);
    EXPECT_EQ(::pipe(there_), 0);
    struct sigaction stand {};
    stand.sa_handler = &Stand;
    EXPECT_EQ(::sigaction(SIGUSR1, &stand, &before_), 0);
    for (const auto& task : fs::directory_iterator("/proc/self/task")) {
      if (Read(task.path() / "comm") != "tl-worker-0\n") continue;
      EXPECT_EQ(::tgkill(::getpid(), std::stoi(task.path().filename()), SIGUSR1), 0);
    }
    Wait(there_[0]);
  }
  ~StandingWorker() {
    Say(go_[1]);
    Wait(there_[0]);
    EXPECT_EQ(::sigaction(SIGUSR1, &before_, nullptr), 0);
    for (const int fd : {go_[0], go_[1], there_[0], there_[1]}) ::close(fd);
  }

 private:
  static void Stand(int) {
    Say(there_[1]);
    Wait(go_[0]);
    Say(there_[1]);
  }
  static void Say(int fd) { (void)!::write(fd, "x", 1); }
  static void Wait(int fd) {
    char byte;
    while (::read(fd, &byte, 1) < 0 && errno == EINTR) continue;
  }
  static inline int go_[2];
  static inline int there_[2];
  struct sigaction before_ {};
};

class Rotate : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = ::testing::TempDir() + "rotateXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    made_once_ = new fs::path(name);
    for (const char* one : {"a", "b", "c"}) {
      const std::string command = "cd " + name + " && openssl req -x509 -newkey ec -pkeyopt " +
                                  "ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + one +
                                  " -days 36500 -keyout " + one + ".key -out " + one +
                                  ".crt 2>/dev/null";
      ASSERT_EQ(std::system(command.c_str()), 0);
    }
  }
  static void TearDownTestSuite() {
    fs::remove_all(*made_once_);
    delete made_once_;
  }

  Rotate() {
    std::string name = ::testing::TempDir() + "rotateXXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    Put("a", "tls");
    WriteFile("t.yaml",
              "tls_profiles:\n  - name: filed\n    certificate_file: tls.crt\n"
              "    private_key_file: tls.key\n");
    v1::TlsProfileSpec spec;
    spec.set_certificate_file(*made_once_ / "a.crt");
    spec.set_private_key_file(*made_once_ / "a.key");
    now_ = (certs::LoadProfile(spec, {})->leaf.not_before + 60) * 1000;
    Open();
  }
  ~Rotate() override {
    End();
    fs::remove_all(folder_);
  }

  void Open() {
    auto store = Store::Open({.file = folder_ / "t.yaml", .state_directory = folder_ / "state"},
                             {.post = [this](std::function<void()> run) { Post(std::move(run)); },
                              .now = [this] { return now_; },
                              .random = random_});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    router_ = *Router::Start({.id = "router"}, [] {});
    store_->OnRefused([this](const std::string& profile, const absl::Status& why) {
      refused_.push_back(profile + " " + tls::FaultOf(why));
    });
    EXPECT_THAT(store_->Start(*router_, [this](const auto&) { ++changes_; }), IsEmpty());
  }
  void End() {
    store_.reset();
    router_.reset();
  }

  // What is made once, in the files that profile "filed" is read from: each by rename.
  void Put(const std::string& certificate, const std::string& key_too) {
    PutFile(certificate + ".crt", "tls.crt");
    if (!key_too.empty()) PutFile(certificate + ".key", "tls.key");
  }
  void WriteFile(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  void PutFile(const std::string& from, const std::string& to) {
    fs::copy_file(*made_once_ / from, folder_ / "next");
    fs::rename(folder_ / "next", folder_ / to);
  }

  void Post(std::function<void()> run) {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(run));
    arrived_.notify_one();
  }
  template <typename Answer>
  Answer Wait(std::optional<Answer>& answer) {
    while (!answer) {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return !posted_.empty(); });
      const auto run = std::move(posted_.front());
      posted_.pop_front();
      lock.unlock();
      run();
    }
    return *std::move(answer);
  }
  absl::StatusOr<Store::Rotated> Turn(Store::Rotation rotation,
                                      Store::Mode mode = Store::Mode::kApply) {
    std::optional<absl::StatusOr<Store::Rotated>> answer;
    store_->Rotate(std::move(rotation), mode,
                   [&](absl::StatusOr<Store::Rotated> rotated) { answer = std::move(rotated); });
    return Wait(answer);
  }
  absl::Status Change(const Store::Change& change) {
    std::optional<absl::StatusOr<Store::Outcome>> answer;
    store_->Mutate(change, Store::Mode::kApply,
                   [&](absl::StatusOr<Store::Outcome> outcome) { answer = std::move(outcome); });
    return Wait(answer).status();
  }
  // A profile over the API, and what is given to it.
  void Make(const std::string& id) {
    const absl::Status status = Change([id](config::Document& made) {
      made.tls_profiles[id].set_name("tlsProfiles/" + id);
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status;
  }
  static std::shared_ptr<const config::InlineCertificate> Given(const std::string& certificate,
                                                                const std::string& key) {
    return std::make_shared<const config::InlineCertificate>(
        config::InlineCertificate{Read(*made_once_ / (certificate + ".crt")),
                                  Secret(Read(*made_once_ / (key + ".key"))), ""});
  }
  std::string InForce(const std::string& id) {
    return store_->in_force().profiles.at(id).leaf.subject;
  }
  void Look(int times) {
    for (int i = 0; i < times; ++i) store_->FollowTls();
  }

  static fs::path* made_once_;
  fs::path folder_;
  int64_t now_ = 0;
  int changes_ = 0;
  Random random_{7};
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> posted_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<Store> store_;
  std::vector<std::string> refused_;  // as it was told
};
fs::path* Rotate::made_once_ = nullptr;

// --- because somebody says so

TEST_F(Rotate, ReadsTheFilesAgain) {
  const uint64_t before = store_->TlsRevision("filed");
  Put("b", "key too");
  const auto rotated = Turn({.profile = "filed"});
  ASSERT_TRUE(rotated.ok()) << rotated.status();
  EXPECT_EQ(rotated->last.leaf.subject, "CN=a");
  EXPECT_EQ(rotated->next.leaf.subject, "CN=b");
  EXPECT_EQ(InForce("filed"), "CN=b");
  EXPECT_GT(store_->TlsRevision("filed"), before);
  EXPECT_EQ(changes_, 1);
}

// It takes the certificate up all the same, when it goes on.
TEST_F(Rotate, CountsThoughAWorkerStands) {
  const uint64_t before = store_->TlsRevision("filed");
  Put("b", "key too");
  {
    const StandingWorker worker;
    const absl::Status late = Turn({.profile = "filed"}).status();
    EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded) << late;
  }
  EXPECT_EQ(InForce("filed"), "CN=b");
  EXPECT_GT(store_->TlsRevision("filed"), before);
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(store_->TlsRefused("filed"), 0u);
  EXPECT_TRUE(Turn({.profile = "filed"}).ok());
}

TEST_F(Rotate, GivenCertificatesCountThoughAWorkerStands) {
  Make("made");
  {
    const StandingWorker worker;
    const absl::Status late = Turn({.profile = "made", .given = Given("b", "b")}).status();
    EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded) << late;
  }
  EXPECT_EQ(InForce("made"), "CN=b");
  End();
  Open();
  EXPECT_EQ(InForce("made"), "CN=b");  // it is in the state
}

TEST_F(Rotate, ToTheSameCertificateChangesNothing) {
  const uint64_t before = store_->TlsRevision("filed");
  const auto rotated = Turn({.profile = "filed"});
  ASSERT_TRUE(rotated.ok()) << rotated.status();
  EXPECT_EQ(rotated->last.fingerprint, rotated->next.fingerprint);
  EXPECT_EQ(store_->TlsRevision("filed"), before);
}

TEST_F(Rotate, DoesNothingWhereItOnlyValidates) {
  Put("b", "key too");
  const auto rotated = Turn({.profile = "filed"}, Store::Mode::kValidate);
  ASSERT_TRUE(rotated.ok()) << rotated.status();
  EXPECT_EQ(rotated->next.leaf.subject, "CN=b");
  EXPECT_EQ(InForce("filed"), "CN=a");
  EXPECT_EQ(changes_, 0);
}

TEST_F(Rotate, RefusesWhatIsBadAndLeavesWhatIsInForce) {
  Put("b", "");  // the key is still the other one's
  auto refused = Turn({.profile = "filed"}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(tls::FaultOf(refused), "KEY_MISMATCH");
  fs::remove(folder_ / "tls.key");
  EXPECT_EQ(tls::FaultOf(Turn({.profile = "filed"}).status()), "FILE_UNREADABLE");
  EXPECT_EQ(Turn({.profile = "other"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(InForce("filed"), "CN=a");
  EXPECT_EQ(changes_, 0);
  EXPECT_EQ(store_->TlsRefused("filed"), 2u);
  EXPECT_EQ(store_->TlsRefused("other"), 0u);
  EXPECT_FALSE(Turn({.profile = "filed"}, Store::Mode::kValidate).ok());
  EXPECT_THAT(refused_, ElementsAre("filed KEY_MISMATCH", "filed FILE_UNREADABLE"));
}

TEST_F(Rotate, RefusesWhatHasExpiredUnlessItMay) {
  Put("b", "key too");
  now_ += int64_t{200} * 365 * 24 * 3600 * 1000;
  const absl::Status refused = Turn({.profile = "filed"}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(tls::FaultOf(refused), "CERTIFICATE_EXPIRED");
  EXPECT_EQ(InForce("filed"), "CN=a");
  ASSERT_TRUE(Turn({.profile = "filed", .allow_expired = true}).ok());
  EXPECT_EQ(InForce("filed"), "CN=b");
  // What is in force already may stay so.
  EXPECT_TRUE(Turn({.profile = "filed"}).ok());
}

// --- profiles that are made or changed: refused for the same reasons

TEST_F(Rotate, IsRefusedAsAProfileIs) {
  const auto use = [](const std::string& certificate, const std::string& key) {
    return [=](config::Document& made) {
      v1::TlsProfile& profile = made.tls_profiles["made"];
      profile.set_name("tlsProfiles/made");
      profile.mutable_spec()->set_certificate_file(*made_once_ / certificate);
      profile.mutable_spec()->set_private_key_file(*made_once_ / key);
      return absl::OkStatus();
    };
  };
  absl::Status refused = Change(use("a.crt", "b.key"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(config::ReasonOf(refused), "KEY_MISMATCH");
  EXPECT_EQ(config::ViolationsOf(refused).at(0).field, "tls_profiles[made].private_key_file");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("a.crt (CN=a)"));
  EXPECT_EQ(config::ReasonOf(Change(use("a.crt", "none"))), "FILE_UNREADABLE");
  refused = Change(use("a.key", "a.key"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(config::ReasonOf(refused), "INVALID_CERTIFICATE");
  EXPECT_THAT(store_->made().tls_profiles, IsEmpty());

  now_ += int64_t{200} * 365 * 24 * 3600 * 1000;
  const auto apply = [&](const Store::Change& change, Store::How how) {
    std::optional<absl::StatusOr<Store::Outcome>> answer;
    store_->Mutate(change, how, [&](auto outcome) { answer = std::move(outcome); });
    return Wait(answer).status();
  };
  for (const auto mode : {Store::Mode::kValidate, Store::Mode::kApply}) {
    refused = apply(use("a.crt", "a.key"), mode);
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(config::ReasonOf(refused), "CERTIFICATE_EXPIRED");
    EXPECT_THAT(std::string(refused.message()), HasSubstr("allow_expired"));
  }
  EXPECT_THAT(store_->made().tls_profiles, IsEmpty());
  ASSERT_TRUE(apply(use("a.crt", "a.key"), {Store::Mode::kApply, true}).ok());
  EXPECT_EQ(InForce("made"), "CN=a");
  // What is in force already may stay so, and keeps nobody from changing something else.
  EXPECT_TRUE(Change([](config::Document& made) {
                made.tls_profiles["made"].mutable_spec()->set_uid_format("n");
                return absl::OkStatus();
              }).ok());
  Make("other");
  EXPECT_EQ(config::ReasonOf(Change(use("b.crt", "b.key"))), "CERTIFICATE_EXPIRED");
}

TEST_F(Rotate, TakesAnInlineOneForAProfileOfTheApiAlone) {
  const absl::Status refused = Turn({.profile = "filed", .given = Given("b", "b")}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(config::ReasonOf(refused), "READ_ONLY_SOURCE");
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr(" is read from " + (folder_ / "tls.crt").string()));
  Make("made");
  const auto rotated = Turn({.profile = "made", .given = Given("b", "b")});
  ASSERT_TRUE(rotated.ok()) << rotated.status();
  EXPECT_TRUE(rotated->persisted);
  EXPECT_EQ(InForce("made"), "CN=b");
  EXPECT_EQ(tls::FaultOf(Turn({.profile = "made", .given = Given("a", "b")}).status()),
            "KEY_MISMATCH");
  EXPECT_EQ(InForce("made"), "CN=b");
}

// Nothing is wrong with such a certificate.
TEST_F(Rotate, CountsAsRefusedWhatIsBadAlone) {
  EXPECT_FALSE(Turn({.profile = "filed", .given = Given("b", "b")}).ok());
  Make("made");
  fs::create_directory(folder_ / "state/state.json.new");
  const absl::Status not_kept = Turn({.profile = "made", .given = Given("b", "b")}).status();
  EXPECT_EQ(config::ReasonOf(not_kept), "STATE_NOT_WRITTEN");
  EXPECT_EQ(store_->TlsRefused("filed"), 0u);
  EXPECT_EQ(store_->TlsRefused("made"), 0u);
  EXPECT_THAT(refused_, IsEmpty());
}

TEST_F(Rotate, KeepsAnInlineOneOverARestartInAFileOfItsOwnerAlone) {
  Make("made");
  ASSERT_TRUE(Turn({.profile = "made", .given = Given("b", "b")}).ok());
  const fs::path file = folder_ / "state/state.json";
  struct stat about {};
  ASSERT_EQ(::stat(file.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777u, 0600u);
  EXPECT_THAT(Read(file), HasSubstr("PRIVATE KEY"));
  End();
  Open();
  EXPECT_EQ(InForce("made"), "CN=b");
  ASSERT_TRUE(Turn({.profile = "made", .given = Given("c", "c")}).ok());
  End();
  Open();
  EXPECT_EQ(InForce("made"), "CN=c");
}

TEST_F(Rotate, LetsListenersUseAnInlineOne) {
  Make("made");
  const auto listen = [](config::Document& made) {
    v1::Listener& listener = made.listeners["l"];
    listener.set_name("listeners/l");
    listener.mutable_spec()->set_host("127.0.0.1");
    listener.mutable_spec()->set_port(0);
    listener.mutable_spec()->set_tls_profile("tlsProfiles/made");
    return absl::OkStatus();
  };
  EXPECT_FALSE(Change(listen).ok());  // it has no certificate yet
  ASSERT_TRUE(Turn({.profile = "made", .given = Given("b", "b")}).ok());
  EXPECT_TRUE(Change(listen).ok());
  // Nothing is in its files, and a listener needs it.
  const absl::Status refused = Turn({.profile = "made"}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(InForce("made"), "CN=b");
}

TEST_F(Rotate, GoesBackToFilesWhereItIsToldSoOrTheyAreOthers) {
  const auto use = [this](const std::string& name) {
    return [this, name](config::Document& made) {
      v1::TlsProfile& profile = made.tls_profiles["made"];
      profile.set_name("tlsProfiles/made");
      profile.mutable_spec()->set_certificate_file(*made_once_ / (name + ".crt"));
      profile.mutable_spec()->set_private_key_file(*made_once_ / (name + ".key"));
      return absl::OkStatus();
    };
  };
  ASSERT_TRUE(Change(use("a")).ok());
  ASSERT_TRUE(Turn({.profile = "made", .given = Given("b", "b")}).ok());
  EXPECT_EQ(InForce("made"), "CN=b");
  ASSERT_TRUE(Turn({.profile = "made"}).ok());
  EXPECT_EQ(InForce("made"), "CN=a");
  ASSERT_TRUE(Turn({.profile = "made", .given = Given("b", "b")}).ok());
  // Another setting alone is no reason.
  ASSERT_TRUE(Change([](config::Document& made) {
                made.tls_profiles["made"].mutable_spec()->set_uid_format("n");
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(InForce("made"), "CN=b");
  ASSERT_TRUE(Change(use("c")).ok());
  EXPECT_EQ(InForce("made"), "CN=c");
  EXPECT_THAT(Read(folder_ / "state/state.json"), Not(HasSubstr("PRIVATE KEY")));
}

TEST_F(Rotate, ForgetsAnInlineOneWithItsProfile) {
  Make("made");
  ASSERT_TRUE(Turn({.profile = "made", .given = Given("b", "b")}).ok());
  ASSERT_TRUE(Change([](config::Document& made) {
                made.tls_profiles.erase("made");
                return absl::OkStatus();
              }).ok());
  EXPECT_THAT(Read(folder_ / "state/state.json"), Not(HasSubstr("PRIVATE KEY")));
  Make("made");
  EXPECT_EQ(InForce("made"), "");
}

// --- because their files have changed

TEST_F(Rotate, FollowsFiles) {
  Look(2);
  EXPECT_EQ(changes_, 0);
  Put("b", "key too");
  Look(1);
  EXPECT_EQ(InForce("filed"), "CN=b");
  EXPECT_EQ(changes_, 1);
}

TEST_F(Rotate, FollowsFilesWhileAChangeIsBeingKept) {
  std::optional<absl::StatusOr<Store::Outcome>> answer;
  const auto change = [](config::Document& made) {
    made.tls_profiles["made"].set_name("tlsProfiles/made");
    return absl::OkStatus();
  };
  store_->Mutate(change, Store::Mode::kApply, [&](auto outcome) { answer = outcome; });
  Put("b", "key too");
  Look(2);
  EXPECT_EQ(InForce("filed"), "CN=a");
  ASSERT_TRUE(Wait(answer).ok());
  EXPECT_EQ(InForce("filed"), "CN=b");
}

TEST_F(Rotate, WaitsForTheOtherHalf) {
  Put("b", "");
  Look(2);
  EXPECT_TRUE(store_->TlsTrouble("filed").ok());
  EXPECT_EQ(InForce("filed"), "CN=a");
  PutFile("b.key", "tls.key");
  Look(1);
  EXPECT_EQ(InForce("filed"), "CN=b");
  EXPECT_TRUE(store_->TlsTrouble("filed").ok());
}

TEST_F(Rotate, TellsOfFilesThatStayBad) {
  Put("b", "");
  Look(3);
  EXPECT_EQ(store_->TlsTrouble("filed").message(), "private_key_file: the private key in " +
                                                       (folder_ / "tls.key").string() +
                                                       " does not belong to the certificate in " +
                                                       (folder_ / "tls.crt").string() + " (CN=b)");
  EXPECT_EQ(store_->TlsRefused("filed"), 1u);
  EXPECT_EQ(changes_, 1);
  Look(5);  // once
  EXPECT_EQ(store_->TlsRefused("filed"), 1u);
  EXPECT_EQ(changes_, 1);
  EXPECT_THAT(refused_, ElementsAre("filed KEY_MISMATCH"));
  PutFile("b.key", "tls.key");
  Look(1);
  EXPECT_TRUE(store_->TlsTrouble("filed").ok());
  EXPECT_EQ(InForce("filed"), "CN=b");
}

TEST_F(Rotate, ForgetsTroubleWhenTheOldFilesAreBack) {
  Put("b", "");
  Look(3);
  EXPECT_FALSE(store_->TlsTrouble("filed").ok());
  Put("a", "");
  Look(1);
  EXPECT_TRUE(store_->TlsTrouble("filed").ok());
  EXPECT_EQ(InForce("filed"), "CN=a");
  EXPECT_EQ(changes_, 2);
}

TEST_F(Rotate, DoesNotFollowToWhatHasExpired) {
  now_ += int64_t{200} * 365 * 24 * 3600 * 1000;
  Put("b", "key too");
  Look(3);
  EXPECT_EQ(tls::FaultOf(store_->TlsTrouble("filed")), "CERTIFICATE_EXPIRED");
  EXPECT_EQ(InForce("filed"), "CN=a");
}

// Its own certificate is no other, so nothing gets worse; whom it trusts has to be followed.
TEST_F(Rotate, FollowsAuthoritiesOfACertificateThatHasExpired) {
  WriteFile("t.yaml",
            "tls_profiles:\n  - name: filed\n    certificate_file: tls.crt\n"
            "    private_key_file: tls.key\n    ca_file: ca.crt\n");
  PutFile("b.crt", "ca.crt");
  End();
  Open();
  now_ += int64_t{200} * 365 * 24 * 3600 * 1000;
  uint64_t before = store_->TlsRevision("filed");
  PutFile("c.crt", "ca.crt");
  Look(1);
  EXPECT_EQ(store_->TlsRevision("filed"), before + 1);
  EXPECT_TRUE(store_->TlsTrouble("filed").ok());
  PutFile("b.crt", "ca.crt");
  EXPECT_TRUE(Turn({.profile = "filed"}).ok());
  EXPECT_EQ(store_->TlsRevision("filed"), before + 2);
  EXPECT_EQ(store_->TlsRefused("filed"), 0u);
  Put("b", "key too");
  EXPECT_FALSE(Turn({.profile = "filed"}).ok());
}

// --- what is kept

TEST(StateFormat, KeepsInlineCertificates) {
  config::Document made;
  made.tls_profiles["a"].set_name("tlsProfiles/a");
  made.inline_certificates["a"] = std::make_shared<const config::InlineCertificate>(
      config::InlineCertificate{"chain", Secret("key"), "ca"});
  const auto back = DecodeState(EncodeState(made)->view());
  ASSERT_TRUE(back.ok()) << back.status();
  const config::InlineCertificate* given = config::InlineOf(*back, "a");
  ASSERT_NE(given, nullptr);
  EXPECT_EQ(given->certificate, "chain");
  EXPECT_EQ(given->private_key, Secret("key"));
  EXPECT_EQ(given->ca, "ca");
}

}  // namespace
}  // namespace trunkline::store
