#include "router/base/thread.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace trunkline {
namespace {

int Nice() { return getpriority(PRIO_PROCESS, 0); }

TEST(ThreadTest, AThreadHasItsName) {
  std::string name(16, '\0');
  std::thread([&] {
    BeginThread("tl-test", ThreadClass::kData);
    pthread_getname_np(pthread_self(), name.data(), name.size());
  }).join();
  EXPECT_STREQ(name.c_str(), "tl-test");
}

TEST(ThreadTest, AServiceThreadStepsBackAlone) {
  const int before = Nice();
  int service = 0;
  int inherited = 0;
  std::thread([&] {
    BeginThread("tl-test", ThreadClass::kService);
    service = Nice();
    std::thread([&] { inherited = Nice(); }).join();
  }).join();
  EXPECT_EQ(service, std::min(before + 10, 19));
  EXPECT_EQ(inherited, service);
  EXPECT_EQ(Nice(), before);
}

TEST(ThreadTest, AServiceThreadDoesNotStepBeyondTheLast) {
  int service = 0;
  std::thread([&] {
    setpriority(PRIO_PROCESS, 0, 15);
    BeginThread("tl-test", ThreadClass::kService);
    service = Nice();
  }).join();
  EXPECT_EQ(service, 19);
}

TEST(ThreadTest, ADataThreadKeepsItsPriorityAndHasAShortSliceWhereThereAreSlices) {
  const int before = Nice();
  std::array<uint64_t, 6> plain{};  // as sched_getattr(2) has it: the fourth is the slice
  std::array<uint64_t, 6> data{};
  int nice = 0;
  std::thread([&] {
    syscall(SYS_sched_getattr, 0, plain.data(), sizeof plain, 0);
    BeginThread("tl-test", ThreadClass::kData);
    syscall(SYS_sched_getattr, 0, data.data(), sizeof data, 0);
    nice = Nice();
  }).join();
  EXPECT_EQ(nice, before);
  EXPECT_EQ(data[0], plain[0]) << "size and policy";
  if (plain[3] == 0) GTEST_SKIP() << "the kernel has no slices (Linux 6.12)";
  EXPECT_EQ(data[3], 100'000u);
}

}  // namespace
}  // namespace trunkline
