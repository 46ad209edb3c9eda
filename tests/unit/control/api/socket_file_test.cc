#include "control/api/socket_file.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace trunkline::api {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

// A listening socket, closed with the object; its file stays, as that of a killed process does.
class Listening {
 public:
  explicit Listening(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(fd_, 1), 0);
  }
  ~Listening() { ::close(fd_); }

 private:
  int fd_;
};

class SocketFileTest : public testing::Test {
 protected:
  SocketFileTest() {
    char path[] = "/tmp/trunkline-socket-XXXXXX";
    root_ = ::mkdtemp(path);
    path_ = (root_ / "control.sock").string();
  }
  ~SocketFileTest() override { std::filesystem::remove_all(root_); }

  static mode_t ModeOf(const std::string& path) {
    struct stat found {};
    ::lstat(path.c_str(), &found);
    return found.st_mode & 07777;
  }
  std::string Error(const std::string& group = "") {
    return std::string(SocketFile::Prepare(path_, group).status().message());
  }

  std::filesystem::path root_;
  std::string path_;
};

TEST_F(SocketFileTest, HasItsModeBeforeAnybodyCanOpenIt) {
  const mode_t before = ::umask(0);  // the widest there is
  auto file = SocketFile::Prepare(path_, "");
  ASSERT_TRUE(file.ok()) << file.status();
  Listening listening((*file)->bind_path());
  EXPECT_EQ(ModeOf(std::filesystem::path((*file)->bind_path()).parent_path()), 0700u);
  EXPECT_FALSE(std::filesystem::exists(path_));
  ASSERT_TRUE((*file)->Publish().ok());
  ::umask(before);
  EXPECT_EQ(ModeOf(path_), 0660u);
  size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root_)) {
    EXPECT_THAT(entry.path().string(), testing::AnyOf(path_, path_ + ".lock"));
    ++entries;
  }
  EXPECT_EQ(entries, 2u);
}

TEST_F(SocketFileTest, GoesWithItsOwner) {
  {
    auto file = SocketFile::Prepare(path_, "");
    ASSERT_TRUE(file.ok()) << file.status();
    Listening listening((*file)->bind_path());
    ASSERT_TRUE((*file)->Publish().ok());
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SocketFileTest, DoesNotRemoveAnothersSocket) {
  {
    auto file = SocketFile::Prepare(path_, "");
    ASSERT_TRUE(file.ok()) << file.status();
    Listening listening((*file)->bind_path());
    ASSERT_TRUE((*file)->Publish().ok());
    std::filesystem::rename(path_, path_ + ".old");
    Listening another(path_);
  }
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(SocketFileTest, ReplacesWhatADeadProcessHasLeft) {
  { Listening dead(path_); }
  ASSERT_TRUE(std::filesystem::exists(path_));
  auto file = SocketFile::Prepare(path_, "");
  ASSERT_TRUE(file.ok()) << file.status();
  Listening listening((*file)->bind_path());
  EXPECT_TRUE((*file)->Publish().ok());
}

TEST_F(SocketFileTest, DoesNotReplaceOneThatIsServed) {
  Listening alive(path_);
  EXPECT_THAT(Error(), EndsWith("control.sock: another process serves it"));
}

TEST_F(SocketFileTest, HasOneOwner) {
  auto file = SocketFile::Prepare(path_, "");
  ASSERT_TRUE(file.ok());
  EXPECT_THAT(Error(), EndsWith("control.sock: another trunkd serves it"));
  file->reset();
  EXPECT_EQ(Error(), "");
}

TEST_F(SocketFileTest, DoesNotReplaceWhatIsNoSocket) {
  std::ofstream(path_) << "precious";
  EXPECT_THAT(Error(), EndsWith("control.sock: is there, and is no socket"));
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(SocketFileTest, MakesItsFolderAndNoMore) {
  path_ = (root_ / "trunkline" / "control.sock").string();
  EXPECT_EQ(Error(), "");
  EXPECT_EQ(ModeOf(root_ / "trunkline"), 0750u);
  path_ = (root_ / "a" / "b" / "control.sock").string();
  EXPECT_THAT(Error(), EndsWith("a/b: No such file or directory"));
}

TEST_F(SocketFileTest, HasAGroup) {
  EXPECT_EQ(Error("no-such-group-here"), "there is no group \"no-such-group-here\"");
  const group* own = ::getgrgid(::getgid());
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(Error(own->gr_name), "");
}

TEST_F(SocketFileTest, PathsAreShortEnough) {
  path_ =
      (root_ / std::string(SocketFile::kPathBytesMax - root_.string().size() - 1, 'a')).string();
  ASSERT_EQ(path_.size(), SocketFile::kPathBytesMax);
  auto file = SocketFile::Prepare(path_, "");
  ASSERT_TRUE(file.ok()) << file.status();
  Listening listening((*file)->bind_path());
  EXPECT_TRUE((*file)->Publish().ok());
  path_ += "a";
  EXPECT_THAT(Error(), EndsWith("bytes are more than 98"));
}

// The longest name of the private folder still fits where the socket's own name is one letter.
TEST_F(SocketFileTest, APathWithAShortNameIsShortEnoughToo) {
  const auto folder =
      root_ / std::string(SocketFile::kPathBytesMax - root_.string().size() - 3, 'f');
  std::filesystem::create_directory(folder);
  path_ = (folder / "s").string();
  ASSERT_EQ(path_.size(), SocketFile::kPathBytesMax);
  auto file = SocketFile::Prepare(path_, "");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_LE((*file)->bind_path().size(), sizeof(sockaddr_un::sun_path) - 1);
  Listening listening((*file)->bind_path());
  EXPECT_TRUE((*file)->Publish().ok());
}

}  // namespace
}  // namespace trunkline::api
