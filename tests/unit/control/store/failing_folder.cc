#include "tests/unit/control/store/failing_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <utility>

namespace trunkline::store {
namespace {

struct Fault {
  std::mutex mutex;
  int failures = 0;
  std::function<void()> on_failure;
};

Fault& TheFault() {
  static Fault fault;
  return fault;
}

bool IsFolder(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
}

// Whether this one fails.
bool TakeFailure(int fd) {
  Fault& fault = TheFault();
  const std::lock_guard lock(fault.mutex);
  if (fault.failures == 0 || !IsFolder(fd)) return false;
  --fault.failures;
  fault.on_failure();
  return true;
}

}  // namespace

FailingFolder::FailingFolder(int failures, std::function<void()> on_failure) {
  Fault& fault = TheFault();
  const std::lock_guard lock(fault.mutex);
  fault.failures = failures;
  fault.on_failure = std::move(on_failure);
}

FailingFolder::~FailingFolder() {
  Fault& fault = TheFault();
  const std::lock_guard lock(fault.mutex);
  EXPECT_EQ(std::exchange(fault.failures, 0), 0) << "more were to fail than were synced";
}

}  // namespace trunkline::store

// In place of the C library's.
extern "C" int fsync(int fd) {
  if (trunkline::store::TakeFailure(fd)) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, fd));
}
