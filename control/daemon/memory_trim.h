#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "router/base/time.h"

namespace trunkline::daemon {

// Gives memory back to the system that bursts of calls have left free: the allocator keeps it, and
// gRPC needs some 14 KiB for each call that a client opens and cancels at once, as fast as it can
// send them.
//
// Looks every kInterval. Where the process has kGrowth more resident than it had after the last
// time, and the router has read less than kQuietBytes since the look before, the allocator trims:
// threads that allocate wait for it meanwhile, so it has to be quiet. It does so at kTrims such
// looks, as the burst may still be there at the first. Workers trim themselves when crowds of
// connections have gone.
//
// Owned by the Daemon. Thread: control.
class MemoryTrim {
 public:
  static constexpr Duration kInterval = Seconds(10);
  static constexpr uint64_t kGrowth = 32u << 20;
  static constexpr uint64_t kQuietBytes = 4u << 20;
  static constexpr int kTrims = 3;

  struct Hooks {
    std::function<uint64_t()> resident_bytes;
    std::function<void()> trim;
  };
  static Hooks OfProcess();

  explicit MemoryTrim(Hooks hooks) : hooks_(std::move(hooks)) {}
  MemoryTrim(const MemoryTrim&) = delete;
  MemoryTrim& operator=(const MemoryTrim&) = delete;

  // When Look has something to do.
  Time due() const { return due_; }
  // `bytes_read` is what the router has read since its start.
  void Look(Time now, uint64_t bytes_read);

 private:
  const Hooks hooks_;
  Time due_;  // the first is at once
  uint64_t bytes_read_ = 0;
  uint64_t least_bytes_ = UINT64_MAX;  // resident, since the last time
  int trims_due_ = 0;
};

}  // namespace trunkline::daemon
