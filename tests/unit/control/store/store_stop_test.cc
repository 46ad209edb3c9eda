#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control/config/error_details.h"
#include "tests/unit/control/store/store_fixture.h"

namespace trunkline::store {
namespace {

using ::testing::ElementsAre;

std::string Told(const absl::Status& status) {
  return status.ok() ? "OK" : config::ReasonOf(status);
}

class StoreStopTest : public StoreTest {
 protected:
  void Ask(const std::string& id) {
    store_->Mutate(Put(id, 0), Store::Mode::kApply,
                   [this](const auto& outcome) { told_.push_back(Told(outcome.status())); });
  }
  std::vector<std::string> told_;
};

// The disk has the first one, and a restart would find it.
TEST_F(StoreStopTest, TellsTheTruthOfTheChangeThatTheDiskHas) {
  ASSERT_TRUE(Open().ok());
  Ask("first");
  Ask("second");
  Ask("third");
  EXPECT_THAT(told_, ElementsAre());
  store_->Stop();
  EXPECT_THAT(told_, ElementsAre("OK", "STOPPING", "STOPPING"));
  EXPECT_EQ(store_->writes().ok, 1u);
  EXPECT_THAT(changed_, ElementsAre("listeners/first"));
  int rounds = 0;
  RunUntil([&] { return rounds++ == 1; });  // what the disk has said meanwhile
  EXPECT_EQ(told_.size(), 3u);
  End();
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(store_->made().listeners.contains("first"));
  EXPECT_EQ(store_->made().listeners.size(), 1u);
}

TEST_F(StoreStopTest, TellsOfADiskThatRefusesAtTheStop) {
  ASSERT_TRUE(Open().ok());
  std::filesystem::create_directory(folder_ + "/state/state.json.new");
  Ask("first");
  store_->Stop();
  EXPECT_THAT(told_, ElementsAre("STATE_NOT_WRITTEN"));
  EXPECT_TRUE(store_->made().listeners.empty());
}

TEST_F(StoreStopTest, RefusesWhatComesLater) {
  ASSERT_TRUE(Open().ok());
  Ask("first");
  store_->FollowUsers();
  store_->Retry([this](const auto&) { told_.push_back("retried"); });
  store_->Reload([](const Configuration&, const std::string&) { return absl::OkStatus(); },
                 [this](const auto& reloaded) { told_.push_back(Told(reloaded.status())); });
  store_->Stop();
  EXPECT_THAT(told_, ElementsAre("OK", "STOPPING"));
  Ask("later");
  store_->Rotate({.profile = "service"}, Store::Mode::kApply,
                 [this](const auto& rotated) { told_.push_back(Told(rotated.status())); });
  EXPECT_THAT(told_, ElementsAre("OK", "STOPPING", "STOPPING", "STOPPING"));
  store_->Stop();
  EXPECT_EQ(told_.size(), 4u);
}

}  // namespace
}  // namespace trunkline::store
