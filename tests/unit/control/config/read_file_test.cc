#include "control/config/read_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "router/base/secret.h"

namespace trunkline::config {
namespace {

using ::testing::HasSubstr;

class ReadFileTest : public ::testing::Test {
 protected:
  ~ReadFileTest() override { std::filesystem::remove(file_); }
  void Write(const std::string& bytes) { std::ofstream(file_, std::ios::binary) << bytes; }

  const std::string file_ = ::testing::TempDir() + "read_file_" + std::to_string(::getpid());
};

TEST_F(ReadFileTest, TakesNoMoreThanItsBound) {
  for (const std::string& bytes : {std::string(), std::string("a"), std::string(4096, '\0')}) {
    Write(bytes);
    EXPECT_EQ(*ReadFile(file_, bytes.size()), bytes);
    EXPECT_EQ(*ReadFile(file_, bytes.size() + 1), bytes);
    if (bytes.empty()) continue;
    const absl::Status status = ReadFile(file_, bytes.size() - 1).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("larger than"));
  }
}

TEST_F(ReadFileTest, TakesNoMoreMemoryThanTheFileHas) {
  Write(std::string(1000, 'x'));
  EXPECT_LT(ReadFile(file_, size_t{256} << 20)->capacity(), 4096u);
}

TEST_F(ReadFileTest, KeepsASmallSecretOutOfTheObject) {
  Write("key");
  EXPECT_GE(ReadFile(file_, 100)->capacity(), kOutOfObject);
}

// As one that grows while it is read: it is said to be empty.
TEST_F(ReadFileTest, ReadsAFileThatIsLargerThanItSays) {
  const char* file = "/proc/self/environ";
  const auto bytes = ReadFile(file, size_t{1} << 20);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  std::ifstream stream(file, std::ios::binary);
  EXPECT_EQ(*bytes, std::string(std::istreambuf_iterator<char>(stream), {}));
  EXPECT_GT(bytes->size(), 1u);
  EXPECT_EQ(ReadFile(file, 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ReadFileTest, ReadsFilesAlone) {
  EXPECT_EQ(ReadFile(::testing::TempDir(), 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile(file_ + ".none", 1).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace trunkline::config
