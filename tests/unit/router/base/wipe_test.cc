#include <optional>
#include <string>
#include <string_view>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/base/secret.h"

namespace trunkline {
namespace {

// What is in the memory that `text` owns, also behind its end.
std::string MemoryOf(const std::string& text) { return {text.data(), text.capacity()}; }

TEST(Wipe, OverwritesAlsoWhatIsBehindTheEnd) {
  std::string text(100, 'x');
  text.resize(1);
  Wipe(text);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(MemoryOf(text), std::string(text.capacity(), '\0'));
}

TEST(Wipe, OverwritesWhatIsInsideOfTheObject) {
  std::string text = "sesame";
  const std::string moved = std::move(text);
  Wipe(text);
  EXPECT_EQ(MemoryOf(text), std::string(text.capacity(), '\0'));
  EXPECT_EQ(moved, "sesame");
}

TEST(Wipe, TakesWhatMayNotBe) {
  std::optional<std::string> none;
  Wipe(none);
  EXPECT_EQ(none, std::nullopt);
  std::optional<std::string> text = "sesame";
  Wipe(text);
  EXPECT_EQ(text, "");
}

TEST(MoveBehind, AppendsWhateverTheSizes) {
  std::string all;
  std::string expected;
  for (size_t size = 0; size < 100; ++size) {
    const std::string piece(size, static_cast<char>('a' + size % 26));
    MoveBehind(all, piece);
    expected += piece;
    EXPECT_EQ(all, expected);
  }
}

TEST(MoveBehind, GrowsWithoutMovingWhatIsThere) {
  std::string all = "sesame";
  all.reserve(kOutOfObject);
  const char* const begin = all.data();
  MoveBehind(all, std::string(kOutOfObject - 6, 'x'));
  EXPECT_EQ(all.data(), begin);
}

TEST(OutOfObject, IsMovedWithoutACopy) {
  std::string text;
  text.reserve(kOutOfObject);
  text = "sesame";
  const char* const begin = text.data();
  const std::string moved = std::move(text);
  EXPECT_EQ(moved.data(), begin);
}

}  // namespace
}  // namespace trunkline
