#include "control/config/file_watch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace trunkline::config {
namespace {

namespace fs = std::filesystem;

constexpr Time kStart{1'000'000'000};

class StampOf : public ::testing::Test {
 protected:
  StampOf() {
    std::string folder = ::testing::TempDir() + "watchXXXXXX";
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder + "/";
  }
  ~StampOf() override { fs::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + name) << text;
  }
  uint64_t Stamp(const std::string& name = "file") const { return StampOfFile(folder_ + name); }

  std::string folder_;
};

TEST_F(StampOf, StaysWhileNobodyTouchesTheFile) {
  Write("file", "a");
  EXPECT_NE(Stamp(), 0u);
  EXPECT_EQ(Stamp(), Stamp());
}

TEST_F(StampOf, IsAnotherWhenTheFileIsWrittenReplacedOrGone) {
  EXPECT_EQ(Stamp(), 0u);
  Write("file", "a");
  const uint64_t first = Stamp();
  Write("file", "ab");
  const uint64_t written = Stamp();
  EXPECT_NE(written, first);
  Write("other", "ab");
  fs::rename(folder_ + "other", folder_ + "file");
  EXPECT_NE(Stamp(), written);
  fs::remove(folder_ + "file");
  EXPECT_EQ(Stamp(), 0u);
}

// A ConfigMap: file → ..data/file, ..data → ..1, and the second link is replaced.
TEST_F(StampOf, FollowsLinksOfFolders) {
  for (const char* version : {"..1", "..2"}) {
    fs::create_directory(folder_ + version);
    Write(std::string(version) + "/file", "same");
  }
  fs::create_directory_symlink("..1", folder_ + "..data");
  fs::create_symlink("..data/file", folder_ + "file");
  const uint64_t first = Stamp();
  fs::create_directory_symlink("..2", folder_ + "..next");
  fs::rename(folder_ + "..next", folder_ + "..data");
  EXPECT_NE(Stamp(), first);
}

TEST(FileWatch, LooksEveryTwoSecondsWhileNothingChanges) {
  FileWatch watch;
  EXPECT_LE(watch.due(), kStart);
  EXPECT_FALSE(watch.Look(1, 1, kStart));
  EXPECT_EQ(watch.due(), kStart + Seconds(2));
  EXPECT_FALSE(watch.Look(1, 1, kStart + Seconds(2)));
}

TEST(FileWatch, ReadsAChangeWhenItHasSettled) {
  FileWatch watch;
  watch.Look(1, 1, kStart);
  EXPECT_FALSE(watch.Look(2, 1, kStart));
  EXPECT_EQ(watch.due(), kStart + FileWatch::kSettling);
  EXPECT_FALSE(watch.Look(3, 1, kStart)) << "it is still being written";
  EXPECT_TRUE(watch.Look(3, 1, kStart));
  EXPECT_FALSE(watch.Look(3, 3, kStart)) << "it was read";
}

TEST(FileWatch, ReadsAChangeThatIsTakenBack) {
  FileWatch watch;
  watch.Look(1, 1, kStart);
  watch.Look(2, 1, kStart);
  EXPECT_FALSE(watch.Look(1, 1, kStart));
  EXPECT_FALSE(watch.Look(2, 1, kStart)) << "that is another change";
  EXPECT_TRUE(watch.Look(2, 1, kStart));
}

TEST(FileWatch, ReadsAFileThatIsGoneOnce) {
  FileWatch watch;
  watch.Look(1, 1, kStart);
  watch.Look(0, 1, kStart);
  EXPECT_TRUE(watch.Look(0, 1, kStart));
  EXPECT_FALSE(watch.Look(0, 0, kStart));
}

TEST(FileWatch, CanBePaused) {
  FileWatch watch;
  watch.Pause();
  EXPECT_EQ(watch.due(), kNever);
  watch.Resume();
  EXPECT_LE(watch.due(), kStart);
}

}  // namespace
}  // namespace trunkline::config
