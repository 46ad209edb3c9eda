#include "control/daemon/memory_trim.h"

#include <malloc.h>

#include <algorithm>

#include "control/metrics/process.h"
#include "router/base/log.h"

namespace trunkline::daemon {
namespace {

constexpr LogModule kLogModule = LogModule::kDaemon;

// Less is not worth a record.
constexpr uint64_t kToldBytes = 1u << 20;

}  // namespace

MemoryTrim::Hooks MemoryTrim::OfProcess() {
  return {.resident_bytes = [] { return metrics::ReadProcess().resident_bytes; },
          .trim = [] { ::malloc_trim(0); }};
}

void MemoryTrim::Look(Time now, uint64_t bytes_read) {
  if (now < due_) return;
  due_ = now + kInterval;
  const bool is_quiet = bytes_read - std::exchange(bytes_read_, bytes_read) < kQuietBytes;
  const uint64_t resident = hooks_.resident_bytes();
  least_bytes_ = std::min(least_bytes_, resident);
  if (resident - least_bytes_ >= kGrowth) trims_due_ = kTrims;
  if (!is_quiet || trims_due_ == 0) return;
  --trims_due_;
  hooks_.trim();
  least_bytes_ = hooks_.resident_bytes();
  if (least_bytes_ + kToldBytes > resident) return;
  TL_LOG(info, "free memory given back", {"resident_bytes_before", resident},
         {"resident_bytes", least_bytes_});
}

}  // namespace trunkline::daemon
