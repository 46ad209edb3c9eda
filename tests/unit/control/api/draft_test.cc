#include "control/api/draft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <limits>

#include "control/api/edit.h"

namespace trunkline::api {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const config::Collection& Listeners() { return *config::FindCollection("listeners"); }
const config::Collection& Addresses() { return *config::FindCollection("addresses"); }
const config::Collection& Profiles() { return *config::FindCollection("tlsProfiles"); }

v1::Listener Listener(const std::string& id, const std::string& legacy_name,
                      const std::string& profile = "") {
  v1::Listener listener;
  listener.set_name("listeners/" + id);
  listener.set_legacy_name(legacy_name);
  listener.mutable_spec()->set_tls_profile(profile);
  return listener;
}

std::vector<std::string> UsersOf(Draft& draft, const std::string& name) {
  std::vector<std::string> users;
  for (const config::Precondition& each : draft.UsersOf(name)) {
    EXPECT_EQ(each.type, "IN_USE");
    users.push_back(each.subject + ": " + each.description);
  }
  return users;
}

TEST(Draft, KnowsLegacyNamesAsTheyAreJustNow) {
  config::Document file, made;
  file.listeners["f"] = Listener("f", "One");
  made.listeners["m"] = Listener("m", "Two");
  Draft draft(file, made);
  const auto other = [&](const std::string& legacy_name) {
    return draft.OtherOfLegacyName(Listeners(), Listener("x", legacy_name));
  };
  EXPECT_EQ(other("One"), "f");
  EXPECT_EQ(other("Two"), "m");
  EXPECT_EQ(other("Three"), "");
  EXPECT_EQ(draft.OtherOfLegacyName(Listeners(), Listener("m", "Two")), "") << "it is itself";
  EXPECT_EQ(draft.OtherOfLegacyName(Addresses(), Listener("x", "One")), "") << "another kind";
  draft.Put(Listeners(), Listener("m", "Three"));
  EXPECT_EQ(other("Two"), "");
  EXPECT_EQ(other("Three"), "m");
  draft.Put(Listeners(), Listener("n", ""));
  EXPECT_EQ(other("n"), "n") << "the id, where there is no other";
  draft.Erase(Listeners(), "m");
  EXPECT_EQ(other("Three"), "");
  EXPECT_EQ(made.listeners.size(), 1u);
}

TEST(Draft, KnowsWhoNamesWhomJustNow) {
  config::Document file, made;
  file.listeners["f"] = Listener("f", "", "tlsProfiles/t");
  made.listeners["m"] = Listener("m", "", "tlsProfiles/t");
  Draft draft(file, made);
  const std::string text = ": spec.tls_profile names \"tlsProfiles/t\"";
  EXPECT_THAT(UsersOf(draft, "tlsProfiles/t"),
              ElementsAre("listeners/f" + text, "listeners/m" + text));
  draft.Put(Listeners(), Listener("m", "", "tlsProfiles/u"));
  draft.Put(Listeners(), Listener("a", "", "tlsProfiles/t"));
  EXPECT_THAT(UsersOf(draft, "tlsProfiles/t"),
              ElementsAre("listeners/a" + text, "listeners/f" + text));
  draft.Erase(Listeners(), "m");
  EXPECT_THAT(UsersOf(draft, "tlsProfiles/u"), IsEmpty());
}

// What it takes to make this many in one change, and to take them all away again, least of three.
int64_t CpuNanosecondsOf(int resources) {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (int round = 0; round < 3; ++round) {
    config::Document file, made;
    Scope profiles{.collection = &Profiles(), .field = "tls_profile", .place_of = {}};
    Draft draft(file, made);
    timespec begin{}, end{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (int i = 0; i < resources; ++i) {
      EXPECT_TRUE(Create(profiles, "t" + std::to_string(i), v1::TlsProfile(), draft).ok());
    }
    for (int i = 0; i < resources; ++i) {
      EXPECT_TRUE(Remove(profiles, "t" + std::to_string(i), {}, draft).ok());
    }
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    EXPECT_THAT(made.tls_profiles, IsEmpty());
    least = std::min<int64_t>(
        least, (end.tv_sec - begin.tv_sec) * 1'000'000'000 + end.tv_nsec - begin.tv_nsec);
  }
  return least;
}

// A walk over all for each one would take 64 times as long.
TEST(Draft, ManyAreChangedWithoutAWalkForEach) {
  const int64_t few = CpuNanosecondsOf(500);
  EXPECT_LT(CpuNanosecondsOf(4000), 24 * few);
}

}  // namespace
}  // namespace trunkline::api
