#include "router/net/machine.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace trunkline::net {
namespace {

// The files of a system as far as they are read.
class MachineTest : public ::testing::Test {
 protected:
  MachineTest() {
    std::string name = ::testing::TempDir() + "/machineXXXXXX";
    root_ = mkdtemp(name.data());
  }
  ~MachineTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  Machine Read() const { return ReadMachine(root_); }

  std::string root_;
};

TEST_F(MachineTest, KnowsProcessorsAndMemoryOfTheRealOne) {
  const Machine machine = ReadMachine();
  EXPECT_GE(machine.processors, 1);
  EXPECT_GT(machine.memory_bytes, 64u << 20);
}

TEST_F(MachineTest, WithoutGroupsThereIsNoLimit) {
  EXPECT_EQ(Read().quota, 0);
  EXPECT_EQ(Read().group_bytes, 0u);
}

TEST_F(MachineTest, ReadsGroupsOfVersion2) {
  Write("/proc/self/cgroup", "0::/a/b\n");
  Write("/sys/fs/cgroup/a/b/cpu.max", "150000 100000\n");
  Write("/sys/fs/cgroup/a/b/memory.max", "1073741824\n");
  EXPECT_EQ(Read().quota, 1.5);
  EXPECT_EQ(Read().group_bytes, 1u << 30);
}

TEST_F(MachineTest, TheTightestOfTheGroupsAroundCounts) {
  Write("/proc/self/cgroup", "0::/a/b\n");
  Write("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
  Write("/sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
  Write("/sys/fs/cgroup/a/memory.max", "max\n");
  Write("/sys/fs/cgroup/a/b/memory.max", "5000000\n");
  Write("/sys/fs/cgroup/memory.max", "4000000\n");
  EXPECT_EQ(Read().quota, 2.0);
  EXPECT_EQ(Read().group_bytes, 4'000'000u);
}

TEST_F(MachineTest, MaxIsNoLimit) {
  Write("/proc/self/cgroup", "0::/\n");
  Write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  Write("/sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(Read().quota, 0);
  EXPECT_EQ(Read().group_bytes, 0u);
}

TEST_F(MachineTest, ReadsGroupsOfVersion1) {
  Write("/proc/self/cgroup", "7:blkio:/x\n4:memory:/m\n2:cpu,cpuacct:/c\n0::/\n");
  Write("/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "1000000\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us", "50000\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Read().quota, 0.5);
  EXPECT_EQ(Read().group_bytes, 1'000'000u);
}

TEST_F(MachineTest, Version1SaysNoLimitInItsOwnWay) {
  Write("/proc/self/cgroup", "4:memory:/\n1:cpu:/\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Read().quota, 0);
  EXPECT_EQ(Read().group_bytes, 0u);
}

TEST_F(MachineTest, SeesItsGroupAtTheTopWhereTheNameIsOfOutside) {
  Write("/proc/self/cgroup", "4:memory:/pods/17\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n");
  EXPECT_EQ(Read().group_bytes, 2'000'000u);
}

TEST_F(MachineTest, SkipsWhatMakesNoSense) {
  Write("/proc/self/cgroup", "nonsense\n\n0:\n0::/\n");
  Write("/sys/fs/cgroup/cpu.max", "100000 0\n");
  Write("/sys/fs/cgroup/memory.max", "\n");
  EXPECT_EQ(Read().quota, 0);
  EXPECT_EQ(Read().group_bytes, 0u);
}

// --- decisions

TEST(WorkersFor, TakesWhatIsWanted) { EXPECT_EQ(WorkersFor(3, {.processors = 1}).workers, 3); }

TEST(WorkersFor, TakesTheProcessorsThereAre) {
  EXPECT_EQ(WorkersFor(0, {.processors = 1}).workers, 1);
  EXPECT_EQ(WorkersFor(0, {.processors = 6}).workers, 6);
  EXPECT_EQ(WorkersFor(0, {.processors = 16}).workers, 16);
  EXPECT_EQ(WorkersFor(0, {.processors = 17}).workers, 16);
}

TEST(WorkersFor, RoundsAQuotaUp) {
  EXPECT_EQ(WorkersFor(0, {.processors = 8, .quota = 0.1}).workers, 1);
  EXPECT_EQ(WorkersFor(0, {.processors = 8, .quota = 2.0}).workers, 2);
  EXPECT_EQ(WorkersFor(0, {.processors = 8, .quota = 2.001}).workers, 3);
  EXPECT_EQ(WorkersFor(0, {.processors = 2, .quota = 4}).workers, 2);
  EXPECT_EQ(WorkersFor(0, {.processors = 64, .quota = 1e30}).workers, 16);
}

TEST(WorkersFor, SaysWhy) {
  EXPECT_EQ(WorkersFor(2, {}).reason, "configured");
  EXPECT_EQ(WorkersFor(0, {.processors = 4}).reason, "4 processors");
  EXPECT_EQ(WorkersFor(0, {.processors = 4, .quota = 1.5}).reason, "a quota of 1.5 processors");
  EXPECT_EQ(WorkersFor(0, {.processors = 40}).reason, "40 processors, at most 16");
}

TEST(MemoryBudgetFor, IsWhatIsWantedOrThreeFifthsOfWhatThereIs) {
  EXPECT_EQ(MemoryBudgetFor(77, {.memory_bytes = 1000}), 77u);
  EXPECT_EQ(MemoryBudgetFor(0, {.memory_bytes = 1000}), 600u);
  EXPECT_EQ(MemoryBudgetFor(0, {.memory_bytes = 1000, .group_bytes = 100}), 60u);
  EXPECT_EQ(MemoryBudgetFor(0, {.memory_bytes = 100, .group_bytes = 1000}), 60u);
  EXPECT_EQ(MemoryBudgetFor(0, {.group_bytes = 1000}), 600u);
  EXPECT_EQ(MemoryBudgetFor(0, {}), 0u);
}

}  // namespace
}  // namespace trunkline::net
