#include "control/store/state_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "control/store/state_format.h"
#include "tests/unit/control/store/failing_folder.h"

namespace trunkline::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

namespace fs = std::filesystem;

class StateDirTest : public ::testing::Test {
 protected:
  StateDirTest() {
    std::string folder = ::testing::TempDir() + "stateXXXXXX";
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  ~StateDirTest() override { fs::remove_all(folder_); }

  static config::Document WithListener(const std::string& id, uint32_t port) {
    config::Document made;
    v1::Listener& listener = made.listeners[id];
    listener.set_name("listeners/" + id);
    listener.set_etag("e");
    listener.set_generation(3);
    (*listener.mutable_labels())["team"] = "b\"illing\n";
    listener.mutable_spec()->set_port(port);
    listener.mutable_spec()->mutable_idle_timeout()->set_nanos(250'000'000);
    return made;
  }

  static absl::Status SaveAndWait(StateDir& state, const config::Document& made) {
    std::promise<absl::Status> ended;
    state.Save(*EncodeState(made), [&](absl::Status status) { ended.set_value(status); });
    return ended.get_future().get();
  }
  static mode_t ModeOf(const std::string& name) {
    struct stat info {};
    EXPECT_EQ(::stat(name.c_str(), &info), 0) << name;
    return info.st_mode & 07777;
  }
  void Write(const std::string& text) { std::ofstream(folder_ + "/state.json") << text; }
  absl::Status ReadError() {
    auto state = StateDir::Open(folder_);
    EXPECT_TRUE(state.ok()) << state.status();
    return (*state)->Read().status();
  }

  // Names of what is in the folder but for the lock.
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().filename() != "lock") names.push_back(entry.path().filename());
    }
    return names;
  }

  std::string folder_;
};

TEST_F(StateDirTest, GivesBackWhatWasSaved) {
  {
    auto state = StateDir::Open(folder_);
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_TRUE((*state)->Read()->listeners.empty());
    ASSERT_TRUE(SaveAndWait(**state, WithListener("a", 1)).ok());
    ASSERT_TRUE(SaveAndWait(**state, WithListener("b", 2)).ok());
  }
  auto state = StateDir::Open(folder_);
  ASSERT_TRUE(state.ok()) << state.status();
  const auto made = (*state)->Read();
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(made->listeners.size(), 1u);
  EXPECT_EQ(made->listeners.at("b").SerializeAsString(),
            WithListener("b", 2).listeners.at("b").SerializeAsString());
}

TEST_F(StateDirTest, KeepsEverybodyElseOut) {
  const std::string fresh = folder_ + "/fresh";
  auto state = StateDir::Open(fresh);
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_TRUE(SaveAndWait(**state, WithListener("a", 1)).ok());
  EXPECT_EQ(ModeOf(fresh), 0700u);
  EXPECT_EQ(ModeOf(fresh + "/state.json"), 0600u);
  EXPECT_THAT(std::string(StateDir::Open(fresh).status().message()),
              HasSubstr("another process keeps its state there"));
  ::chmod(folder_.c_str(), 0750);
  EXPECT_THAT(std::string(StateDir::Open(folder_).status().message()), HasSubstr("chmod 0700"));
}

// The folder is on the disk before anything in it is said to be.
TEST_F(StateDirTest, MakesNoFolderThatMayBeGoneLater) {
  for (const std::string& folder : {folder_ + "/fresh", folder_ + "/fresh/"}) {
    {
      const FailingFolder failing(1, [&] { EXPECT_TRUE(fs::is_directory(folder)); });
      EXPECT_EQ(StateDir::Open(folder).status().code(), absl::StatusCode::kFailedPrecondition);
    }
    EXPECT_FALSE(fs::exists(folder));
    EXPECT_TRUE(StateDir::Open(folder).ok());
    fs::remove_all(folder);
  }
  const FailingFolder failing(0);
  EXPECT_TRUE(StateDir::Open(folder_).ok()) << "one that is there has been on the disk";
}

TEST_F(StateDirTest, TellsWhatIsNoStateFromWhatIsNewer) {
  Write("");
  EXPECT_EQ(ReadError().code(), absl::StatusCode::kDataLoss);
  Write("{\"format\": 1, \"bundle\": {\"listeners\": [{\"name\": ");
  EXPECT_EQ(ReadError().code(), absl::StatusCode::kDataLoss);
  Write("{\"format\": 1, \"colour\": 2}");
  EXPECT_EQ(ReadError().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(ReadError().message()), HasSubstr("move it away"));
  Write("{\"format\": 2, \"colour\": 2}");
  EXPECT_EQ(ReadError().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(ReadError().message()), Not(HasSubstr("move it away")));
}

TEST_F(StateDirTest, IsNotTakenInByAHalfWrittenFile) {
  auto state = StateDir::Open(folder_);
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_TRUE(SaveAndWait(**state, WithListener("a", 1)).ok());
  std::ofstream(folder_ + "/state.json.new") << "{\"form";
  EXPECT_EQ((*state)->Read()->listeners.count("a"), 1u);
  ASSERT_TRUE(SaveAndWait(**state, WithListener("b", 1)).ok());
  EXPECT_EQ((*state)->Read()->listeners.count("b"), 1u);
}

TEST_F(StateDirTest, SaysWhyItCannotWrite) {
  auto state = StateDir::Open(folder_);
  ASSERT_TRUE(state.ok()) << state.status();
  fs::create_directory(folder_ + "/state.json.new");
  const absl::Status status = SaveAndWait(**state, WithListener("a", 1));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE((*state)->Read()->listeners.empty());
}

TEST_F(StateDirTest, PutsTheOldStateBackWhereTheFolderIsNotWritten) {
  auto state = StateDir::Open(folder_);
  ASSERT_TRUE(state.ok()) << state.status();
  for (const bool is_first : {true, false}) {
    const auto has_new = [&] { EXPECT_EQ((*state)->Read()->listeners.count("new"), 1u); };
    {
      const FailingFolder failing(1, has_new);
      const absl::Status status = SaveAndWait(**state, WithListener("new", 1));
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    }
    EXPECT_EQ((*state)->Read()->listeners.count("new"), 0u);
    EXPECT_EQ((*state)->Read()->listeners.count("old"), is_first ? 0u : 1u);
    EXPECT_THAT(Files(), SizeIs(is_first ? 0 : 1));
    ASSERT_TRUE(SaveAndWait(**state, WithListener("old", 1)).ok());
    EXPECT_THAT(Files(), ElementsAre("state.json"));
  }
}

TEST_F(StateDirTest, SaysThatNobodyKnowsWhereTheOldStateIsNotWrittenEither) {
  auto state = StateDir::Open(folder_);
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_TRUE(SaveAndWait(**state, WithListener("old", 1)).ok());
  {
    const FailingFolder failing(2);
    const absl::Status status = SaveAndWait(**state, WithListener("new", 1));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << status;
    EXPECT_EQ((*state)->Read()->listeners.count("old"), 1u) << "as long as the machine runs";
  }
  {
    const FailingFolder failing(1, [this] { fs::remove(folder_ + "/state.json.old"); });
    EXPECT_EQ(SaveAndWait(**state, WithListener("new", 1)).code(), absl::StatusCode::kUnknown);
    EXPECT_EQ((*state)->Read()->listeners.count("new"), 1u) << "there was no way back";
  }
  ASSERT_TRUE(SaveAndWait(**state, WithListener("next", 1)).ok());
  EXPECT_EQ((*state)->Read()->listeners.count("next"), 1u);
  EXPECT_THAT(Files(), ElementsAre("state.json"));
}

TEST_F(StateDirTest, LeavesNothingOfAProcessThatEndedWhileItWrote) {
  for (const char* name : {"/state.json.new", "/state.json.old"}) {
    std::ofstream(folder_ + name) << "keys";
  }
  ASSERT_TRUE(StateDir::Open(folder_).ok());
  EXPECT_THAT(Files(), IsEmpty());
}

}  // namespace
}  // namespace trunkline::store
