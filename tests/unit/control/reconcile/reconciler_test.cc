#include "control/reconcile/reconciler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::reconcile {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class ReconcilerTest : public ::testing::Test {
 protected:
  ReconcilerTest() {
    auto router = Router::Start({.id = "router"}, [] {});
    EXPECT_TRUE(router.ok()) << router.status();
    router_ = *std::move(router);
    reconciler_.emplace(*router_);
  }

  // Profiles without a certificate; they differ by name only.
  static std::map<std::string, certs::Profile> Profiles(const std::vector<std::string>& names) {
    std::map<std::string, certs::Profile> profiles;
    for (const std::string& name : names) {
      auto context = tls::Context::Build({}, {});
      EXPECT_TRUE(context.ok()) << context.status();
      profiles[name].context = *std::move(context);
      profiles[name].fingerprint = std::hash<std::string>()(name) | 1;
    }
    return profiles;
  }
  static Resources ConnectorWith(const std::string& profile) {
    Resources resources;
    ConnectorSpec& spec = resources.connectors["out"];
    spec.name = "out";
    spec.host = {"127.0.0.1", 1};
    spec.connection.tls_profile = profile;
    return resources;
  }

  std::unique_ptr<Router> router_;
  std::optional<Reconciler> reconciler_;
};

TEST_F(ReconcilerTest, BringsProfilesBeforeThoseWhoNameThem) {
  EXPECT_THAT(reconciler_->Reconcile({Profiles({"a"}), {}}, ConnectorWith("a")), IsEmpty());
  EXPECT_NE(reconciler_->TlsFingerprint("a"), 0u);
}

TEST_F(ReconcilerTest, TakesProfilesAfterThoseWhoNamedThem) {
  EXPECT_THAT(reconciler_->Reconcile({Profiles({"a"}), {}}, ConnectorWith("a")), IsEmpty());
  EXPECT_THAT(reconciler_->Reconcile({Profiles({"b"}), {}}, ConnectorWith("b")), IsEmpty());
  EXPECT_EQ(reconciler_->TlsFingerprint("a"), 0u);
  EXPECT_EQ(router_->RemoveTls("a").code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(reconciler_->Reconcile({{}, {}}, {}), IsEmpty());
  EXPECT_EQ(router_->RemoveTls("b").code(), absl::StatusCode::kNotFound);
}

TEST_F(ReconcilerTest, TellsOfAProfileThatIsStillNamedAndTriesAgain) {
  EXPECT_THAT(reconciler_->Reconcile({Profiles({"a"}), {}}, ConnectorWith("a")), IsEmpty());
  const std::vector<Failure> failures = reconciler_->Reconcile({{}, {}}, ConnectorWith("a"));
  ASSERT_THAT(failures, SizeIs(1));
  EXPECT_EQ(failures[0].path, "tls_profiles[a]");
  EXPECT_EQ(failures[0].status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(reconciler_->TlsFingerprint("a"), 0u);
  EXPECT_THAT(reconciler_->Reconcile({{}, {}}, {}), IsEmpty());
  EXPECT_EQ(reconciler_->TlsFingerprint("a"), 0u);
}

// A handshake of the one that is gone may be under way still: its revision has to be an older one.
TEST_F(ReconcilerTest, NumbersAProfileThatIsMadeAnewBeyondTheOneThatIsGone) {
  auto profiles = Profiles({"a", "b"});
  for (uint64_t fingerprint = 1; fingerprint <= 5; ++fingerprint) {
    profiles["a"].fingerprint = fingerprint;
    EXPECT_THAT(reconciler_->Reconcile({profiles, {}}, {}), IsEmpty());
    EXPECT_EQ(reconciler_->TlsRevision("a"), fingerprint);
  }
  EXPECT_EQ(reconciler_->TlsRevision("b"), 1u);
  EXPECT_THAT(reconciler_->Reconcile({Profiles({"b"}), {}}, {}), IsEmpty());
  EXPECT_EQ(reconciler_->TlsRevision("a"), 0u);
  EXPECT_THAT(reconciler_->Reconcile({Profiles({"b", "a"}), {}}, {}), IsEmpty());
  EXPECT_EQ(reconciler_->TlsRevision("a"), 6u);
  EXPECT_THAT(reconciler_->Reconcile({Profiles({"a"}), {}}, {}), IsEmpty());
  EXPECT_THAT(reconciler_->Reconcile({{}, {}}, {}), IsEmpty());
  EXPECT_THAT(reconciler_->Reconcile({Profiles({"a"}), {}}, {}), IsEmpty());
  EXPECT_EQ(reconciler_->TlsRevision("a"), 7u);
}

TEST_F(ReconcilerTest, KeepsTheRoutersSettingsAsWanted) {
  Resources want;
  want.router = {.memory_budget_bytes = 1u << 30,
                 .default_distribution = Distribution::kMulticast,
                 .max_connections = 7};
  EXPECT_THAT(reconciler_->Reconcile({{}, {}}, want), IsEmpty());
  EXPECT_TRUE(router_->settings() == want.router);
  EXPECT_THAT(reconciler_->Reconcile({{}, {}}, {}), IsEmpty());
  EXPECT_TRUE(router_->settings() == RouterSettings());
}

TEST_F(ReconcilerTest, TriesAgainWhatTheRouterRefuses) {
  Resources want;
  want.router.max_connections = 7;
  router_->Stop();
  for (int i = 0; i < 2; ++i) {
    const std::vector<Failure> failures = reconciler_->Reconcile({{}, {}}, want);
    ASSERT_THAT(failures, SizeIs(1));
    EXPECT_EQ(failures[0].path, "router");
  }
}

}  // namespace
}  // namespace trunkline::reconcile
