#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "control/config/error_details.h"
#include "control/store/state_format.h"
#include "tests/unit/control/store/failing_folder.h"
#include "tests/unit/control/store/store_fixture.h"

// The router's own settings, of the file and over the API.
namespace trunkline::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StoreRouterTest : public StoreTest {
 protected:
  absl::Status Open() {
    if (absl::Status status = StoreTest::Open(); !status.ok()) return status;
    store_->OnRouterChanged([this](v1::Source source) { sources_.push_back(source); });
    return absl::OkStatus();
  }
  static Store::Change Max(uint32_t max_connections) {
    return [=](config::Document& made) {
      made.router.set_max_connections(max_connections);
      return absl::OkStatus();
    };
  }
  uint32_t max_in_force() const { return router_->settings().max_connections; }

  std::vector<v1::Source> sources_;
};

TEST_F(StoreRouterTest, AChangeOverTheApiIsInForceAndThereAfterARestart) {
  Write("listeners: []\nrouter: {default_distribution: closest}\n");
  ASSERT_TRUE(Open().ok());
  const auto outcome = Mutate(Max(7));
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(outcome->persisted);
  EXPECT_THAT(outcome->differences, IsEmpty());
  EXPECT_EQ(max_in_force(), 7u);
  EXPECT_EQ(router_->settings().default_distribution, Distribution::kClosest);
  EXPECT_THAT(sources_, ElementsAre(v1::SOURCE_API));
  EXPECT_EQ(store_->writes().ok, 1u);
  const std::string etag = RouterOf(store_->file(), store_->effective()).etag();
  End();
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(max_in_force(), 7u);
  EXPECT_EQ(RouterOf(store_->file(), store_->effective()).etag(), etag);
  ASSERT_TRUE(Mutate(Max(0)).ok());
  EXPECT_EQ(max_in_force(), 0u);
}

TEST_F(StoreRouterTest, TheSameAgainIsNoChange) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Mutate(Max(7)).ok());
  const auto outcome = Mutate(Max(7));
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(store_->writes().ok, 1u);
  EXPECT_THAT(sources_, SizeIs(1));
}

TEST_F(StoreRouterTest, DoesNothingWhereItIsOnlyAsked) {
  ASSERT_TRUE(Open().ok());
  const auto outcome = Mutate(Max(7), Store::Mode::kValidate);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_FALSE(outcome->persisted);
  EXPECT_EQ(max_in_force(), 0u);
  EXPECT_THAT(sources_, IsEmpty());
}

TEST_F(StoreRouterTest, LeavesEverythingAsItWasWhenTheDiskRefuses) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Mutate(Max(7)).ok());
  std::optional<FailingFolder> failing(1);
  EXPECT_EQ(config::ReasonOf(Mutate(Max(8)).status()), "STATE_NOT_WRITTEN");
  failing.reset();
  EXPECT_EQ(max_in_force(), 7u);
  EXPECT_EQ(store_->effective().router.max_connections(), 7u);
  End();
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(max_in_force(), 7u);
}

TEST_F(StoreRouterTest, GoesByTheRulesOfTheFile) {
  Write("listeners: []\nrouter: {workers: 3}\n");
  ASSERT_TRUE(Open().ok());
  const auto outcome = Mutate([](config::Document& made) {
    made.router.set_memory_budget_bytes(48u << 20);
    made.router.set_max_connections(1'000'001);
    return absl::OkStatus();
  });
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_THAT(config::ViolationsOf(outcome.status()), SizeIs(1));
  EXPECT_EQ(config::ViolationsOf(outcome.status())[0].field, "router.max_connections");
  EXPECT_EQ(max_in_force(), 0u);
}

TEST_F(StoreRouterTest, AFileThatIsReadAgainIsInForceAtOnce) {
  ASSERT_TRUE(Open().ok());
  Write(
      "listeners: []\n"
      "router: {max_connections: 5, default_distribution: multicast, memory_budget_bytes: "
      "100000000}\n");
  ASSERT_TRUE(Reload().ok());
  EXPECT_TRUE(router_->settings() ==
              (RouterSettings{.memory_budget_bytes = 100'000'000,
                              .default_distribution = Distribution::kMulticast,
                              .max_connections = 5}));
  EXPECT_THAT(sources_, ElementsAre(v1::SOURCE_CONFIG_FILE));
  Write("listeners: []\nrouter: {max_connections: 1000001}\n");
  EXPECT_FALSE(Reload().ok());
  EXPECT_EQ(max_in_force(), 5u);
}

TEST_F(StoreRouterTest, RefusesAFieldThatIsInTheFileAndSetOverTheApi) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Mutate(Max(7)).ok());
  Write("listeners: []\nrouter:\n  max_connections: 9\n");
  const std::string refused(Reload().status().message());
  EXPECT_THAT(refused, HasSubstr("trunkline.yaml:3:"));
  EXPECT_THAT(refused, HasSubstr("router.max_connections: is set over the API already"));
  EXPECT_EQ(max_in_force(), 7u);
  End();
  EXPECT_THAT(std::string(Open().message()), HasSubstr("is set over the API already"));
}

TEST_F(StoreRouterTest, KnowsWhereTheFileSaysAField) {
  Write("listeners: []\nrouter:\n  max_connections: 9\n");
  ASSERT_TRUE(Open().ok());
  EXPECT_THAT(store_->PlaceOf("router.max_connections"), ::testing::EndsWith("trunkline.yaml:3"));
}

// --- pure

TEST(Layers, TheRouterTellsWhatWasSetOverTheApi) {
  config::Document file, made;
  file.router.set_id("east");
  made.router.set_watch_config(false);
  made.router.mutable_drain_timeout()->set_seconds(0);
  std::vector<config::Problem> problems;
  const config::Document both = Merge(file, made, problems);
  EXPECT_THAT(problems, IsEmpty());
  const v1::Router router = RouterOf(file, both);
  EXPECT_EQ(router.name(), "router");
  EXPECT_EQ(router.spec().id(), "east");
  EXPECT_TRUE(router.spec().has_drain_timeout());
  EXPECT_THAT(router.set_over_api().paths(), ElementsAre("drain_timeout", "watch_config"));
  // Wherever it is from.
  EXPECT_EQ(RouterOf(both, both).etag(), router.etag());
  EXPECT_NE(RouterOf(file, file).etag(), router.etag());
}

TEST(Layers, OnlySomeOfTheRouterIsSetOverTheApi) {
  std::vector<std::string> names;
  const google::protobuf::Descriptor& type = *v1::RouterSpec::descriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    if (IsSetOverApi(*type.field(i))) names.push_back(type.field(i)->name());
  }
  EXPECT_THAT(names, ElementsAre("default_distribution", "max_connections", "drain_timeout",
                                 "memory_budget_bytes", "watch_config"));
}

TEST(StateFormat, KeepsTheRoutersSettings) {
  config::Document made;
  made.router.set_default_distribution(v1::DISTRIBUTION_MULTICAST);
  made.router.set_max_connections(7);
  made.router.mutable_drain_timeout()->set_nanos(250'000'000);
  made.router.set_memory_budget_bytes(100'000'000);
  made.router.set_watch_config(false);
  const auto again = DecodeState(EncodeState(made)->view());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->router.SerializeAsString(), made.router.SerializeAsString());
  EXPECT_THAT(std::string(EncodeState({})->view()), ::testing::Not(HasSubstr("router")));
}

TEST(StateFormat, TakesNothingElseOfTheRouter) {
  const auto state = DecodeState(R"({"format": 1, "router": {"id": "west"}})");
  EXPECT_TRUE(absl::IsDataLoss(state.status())) << state.status();
}

}  // namespace
}  // namespace trunkline::store
