#include "control/cli/lines.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

namespace trunkline::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

// A pipe into which a test writes.
class LineReaderTest : public testing::Test {
 protected:
  LineReaderTest() { EXPECT_EQ(::pipe(ends_), 0); }
  ~LineReaderTest() override {
    ::close(ends_[0]);
    Close();
  }
  void Write(const std::string& text) {
    ASSERT_EQ(::write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void Close() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  // Until the end.
  std::vector<std::string> All(LineReader& reader) {
    std::vector<std::string> lines;
    while (!reader.ended()) {
      if (auto line = reader.Next()) lines.push_back(*std::move(line));
    }
    return lines;
  }

  int ends_[2] = {-1, -1};
};

TEST_F(LineReaderTest, TellsLinesAsTheyCome) {
  LineReader reader(ends_[0]);
  EXPECT_EQ(reader.Next(), std::nullopt);
  EXPECT_FALSE(reader.ended());
  Write("one\ntw");
  EXPECT_THAT(reader.Next(), Optional(std::string("one")));
  EXPECT_EQ(reader.Next(), std::nullopt);
  Write("o\n");
  EXPECT_THAT(reader.Next(), Optional(std::string("two")));
  Close();
  EXPECT_EQ(reader.Next(), std::nullopt);
  EXPECT_TRUE(reader.ended());
  EXPECT_TRUE(reader.status().ok());
}

TEST_F(LineReaderTest, KeepsEmptyLinesAndALastOneWithoutAnEnd) {
  LineReader reader(ends_[0]);
  Write("\n\na\r\nlast");
  Close();
  EXPECT_THAT(All(reader), ElementsAre("", "", "a\r", "last"));
}

TEST_F(LineReaderTest, TakesTheLongestLineAndNoneThatIsLonger) {
  for (const size_t more : {size_t{0}, size_t{1}}) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    std::thread writer([&] {
      const std::string text(LineReader::kLineBytesMax + more, 'x');
      size_t written = 0;
      while (written < text.size()) {
        const ssize_t count = ::write(ends[1], text.data() + written, text.size() - written);
        if (count < 0) break;
        written += static_cast<size_t>(count);
      }
      ::close(ends[1]);
    });
    LineReader reader(ends[0]);
    const std::vector<std::string> lines = All(reader);
    EXPECT_EQ(lines.size(), more == 0 ? 1 : 0);
    EXPECT_EQ(absl::IsOutOfRange(reader.status()), more == 1);
    writer.join();
    ::close(ends[0]);
  }
}

TEST_F(LineReaderTest, EndsWhereItCannotRead) {
  LineReader reader(ends_[0]);
  ASSERT_EQ(::dup2(::open("/", O_RDONLY), ends_[0]), ends_[0]);
  EXPECT_EQ(reader.Next(), std::nullopt);
  EXPECT_TRUE(reader.ended());
  EXPECT_FALSE(reader.status().ok());
}

}  // namespace
}  // namespace trunkline::cli
