#include "router/base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace trunkline {
namespace {

// A waking thread takes the processor from one with a longer slice. The shortest there is.
constexpr uint64_t kSliceNs = 100'000;
// About a tenth of the weight of a data thread.
constexpr int kStepsBack = 10;
constexpr int kNiceMax = 19;

// What the kernel takes, in its first form (sched_setattr(2)); the C library does not know it yet.
struct SchedulerAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;  // of ordinary threads: the slice, in nanoseconds
  uint64_t deadline;
  uint64_t period;
};

int NiceOfThread() { return getpriority(PRIO_PROCESS, 0); }

void ShortenSlice() {
  SchedulerAttributes attributes{};
  attributes.size = sizeof attributes;
  attributes.policy = SCHED_OTHER;
  attributes.nice = NiceOfThread();
  attributes.runtime = kSliceNs;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void StepBack() { setpriority(PRIO_PROCESS, 0, std::min(NiceOfThread() + kStepsBack, kNiceMax)); }

}  // namespace

void BeginThread(const char* name, ThreadClass thread_class) {
  pthread_setname_np(pthread_self(), name);
  if (thread_class == ThreadClass::kData) {
    ShortenSlice();
  } else {
    StepBack();
  }
}

}  // namespace trunkline
