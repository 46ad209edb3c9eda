#pragma once

#include <cstdint>

namespace trunkline::metrics {

// What the system says about this process. Zero: it does not say.
struct ProcessStats {
  double cpu_seconds = 0;
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;
};
// Reads /proc: some microseconds; with a kernel before 6.2 some more for each open descriptor.
ProcessStats ReadProcess();

// When the process began, in seconds since 1970.
double ProcessStart();

}  // namespace trunkline::metrics
