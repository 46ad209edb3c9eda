#include "control/daemon/core_dumps.h"

#include <sys/prctl.h>

#include <cerrno>

namespace trunkline::daemon {
namespace {

absl::Status FromErrno() { return absl::ErrnoToStatus(errno, "core dumps"); }

}  // namespace

absl::StatusOr<CoreDumps> CoreDumps::Forbid() {
  struct rlimit limit {};
  if (::prctl(PR_SET_DUMPABLE, 0) != 0 || ::getrlimit(RLIMIT_CORE, &limit) != 0) {
    return FromErrno();
  }
  // The hard limit stays: what it allows cannot be had back once it is lowered.
  const struct rlimit none = {0, limit.rlim_max};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return FromErrno();
  return CoreDumps(limit);
}

absl::Status CoreDumps::Permit() const {
  const bool permitted =
      ::setrlimit(RLIMIT_CORE, &inherited_) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
  return permitted ? absl::OkStatus() : FromErrno();
}

}  // namespace trunkline::daemon
