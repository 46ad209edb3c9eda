#pragma once

#include <sys/resource.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace trunkline::daemon {

// Whether this process may leave a core file, and be looked into by whoever shares its user
// (debuggers, /proc/PID/mem). Its memory has passwords and keys, so it may not unless its
// configuration says so.
//
// Owned by main. Thread: the process's first.
class CoreDumps {
 public:
  // Forbids them, by the limit of the process and by what the kernel calls not dumpable: that holds
  // even where the kernel hands dumps to a program, which no limit stops. To be called before
  // anything secret is read.
  static absl::StatusOr<CoreDumps> Forbid();
  // Permits them as far as the limit allows that the process was started with.
  absl::Status Permit() const;

 private:
  explicit CoreDumps(const struct rlimit& inherited) : inherited_(inherited) {}

  struct rlimit inherited_;
};

}  // namespace trunkline::daemon
