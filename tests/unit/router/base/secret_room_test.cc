#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "router/base/secret.h"

namespace trunkline {
namespace {

// What the kernel says of the pages that `address` is in: the lines of smaps behind its range.
std::string PagesAt(const void* address) {
  std::ifstream smaps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  std::string found;
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    const bool range = line.find('-') != std::string::npos && line[0] != 'V' &&
                       std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2;
    if (range) inside = begin <= wanted && wanted < end;
    if (inside) found += line + "\n";
  }
  return found;
}

TEST(SecretRoom, IsEmptyAndLeftOutOfCoreDumps) {
  SecretRoom room(100'000);
  EXPECT_EQ(room.size(), 100'000u);
  EXPECT_TRUE(std::all_of(room.data(), room.data() + room.size(), [](char c) { return c == 0; }));
  room.data()[room.size() - 1] = 'x';
  const std::string flags = PagesAt(room.data());
  EXPECT_NE(flags.find(" dd"), std::string::npos) << flags;
}

TEST(SecretRoom, TakesMemoryOnlyWhereItIsWritten) {
  constexpr size_t kBytes = 64 << 20;
  SecretRoom room(kBytes);
  room.data()[kBytes / 2] = 'x';
  const std::string pages = PagesAt(room.data());
  const size_t at = pages.find("Rss:");
  ASSERT_NE(at, std::string::npos) << pages;
  EXPECT_LE(std::stoul(pages.substr(at + 4)), 64u) << "KiB";
}

TEST(SecretRoom, MayHaveNoBytes) {
  SecretRoom room(0);
  EXPECT_EQ(room.size(), 0u);
  EXPECT_EQ(room.data(), nullptr);
}

TEST(Secret, IsSharedByItsCopies) {
  const Secret secret("open sesame");
  const Secret copy = secret;
  EXPECT_EQ(copy.view(), "open sesame");
  EXPECT_EQ(copy.view().data(), secret.view().data());
  EXPECT_EQ(Secret("open sesame"), secret);
  EXPECT_TRUE(Secret("").empty());
  EXPECT_EQ(Secret().view(), "");
}

}  // namespace
}  // namespace trunkline
