#include "control/daemon/memory_trim.h"

#include <gtest/gtest.h>

namespace trunkline::daemon {
namespace {

constexpr Time kStart{1'000'000'000};
constexpr uint64_t kMiB = 1 << 20;

// A process that has so much resident, of which a trim leaves so much.
struct Process {
  uint64_t resident = 20 * kMiB;
  uint64_t left = 20 * kMiB;
  int trims = 0;
  MemoryTrim trim{{.resident_bytes = [this] { return resident; },
                   .trim =
                       [this] {
                         ++trims;
                         resident = left;
                       }}};
};

TEST(MemoryTrim, GivesBackWhatHasGrown) {
  Process process;
  process.trim.Look(kStart, 0);
  EXPECT_EQ(process.trim.due(), kStart + MemoryTrim::kInterval);
  process.resident += MemoryTrim::kGrowth - 1;
  process.trim.Look(process.trim.due(), 0);
  EXPECT_EQ(process.trims, 0);  // one below the limit
  ++process.resident;
  process.trim.Look(process.trim.due(), 0);
  EXPECT_EQ(process.trims, 1);
}

TEST(MemoryTrim, LooksWhenItIsDueAlone) {
  Process process;
  process.trim.Look(kStart, 0);
  process.resident += MemoryTrim::kGrowth;
  process.trim.Look(process.trim.due() - kMillisecond, 0);
  EXPECT_EQ(process.trims, 0);
  process.trim.Look(process.trim.due(), 0);
  EXPECT_EQ(process.trims, 1);
}

TEST(MemoryTrim, WaitsUntilTheRouterHasLittleToDo) {
  Process process;
  process.trim.Look(kStart, 0);
  process.resident += MemoryTrim::kGrowth;
  process.trim.Look(process.trim.due(), MemoryTrim::kQuietBytes);
  EXPECT_EQ(process.trims, 0);
  process.trim.Look(process.trim.due(), 2 * MemoryTrim::kQuietBytes - 1);
  EXPECT_EQ(process.trims, 1);
}

TEST(MemoryTrim, TriesAgainWhereTheBurstWasStillThere) {
  Process process;
  process.trim.Look(kStart, 0);
  process.resident = process.left = 100 * kMiB;
  process.trim.Look(process.trim.due(), 0);
  EXPECT_EQ(process.resident, 100 * kMiB);
  process.left = 20 * kMiB;
  process.trim.Look(process.trim.due(), 0);
  EXPECT_EQ(process.resident, 20 * kMiB);
}

TEST(MemoryTrim, LeavesAloneWhatIsInUse) {
  Process process;
  process.trim.Look(kStart, 0);
  process.resident = process.left = 100 * kMiB;
  for (int look = 0; look < 10; ++look) process.trim.Look(process.trim.due(), 0);
  EXPECT_EQ(process.trims, MemoryTrim::kTrims);
  process.resident = process.left = 50 * kMiB;  // it is given back, and used again
  process.trim.Look(process.trim.due(), 0);
  process.resident = 100 * kMiB;
  process.trim.Look(process.trim.due(), 0);
  EXPECT_EQ(process.trims, MemoryTrim::kTrims + 1);
}

TEST(MemoryTrim, KnowsWhatTheProcessHas) {
  const MemoryTrim::Hooks process = MemoryTrim::OfProcess();
  EXPECT_GT(process.resident_bytes(), kMiB);
  process.trim();
}

}  // namespace
}  // namespace trunkline::daemon
