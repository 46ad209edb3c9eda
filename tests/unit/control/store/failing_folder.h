#pragma once

#include <functional>

namespace trunkline::store {

// While this is there, folders cannot be synced to the disk: fsync of one fails with EIO, as often
// as it is told to. One at a time; of this program, whose fsync is its own.
class FailingFolder {
 public:
  // `on_failure` is called before each failure, on the thread that syncs: to see or break more.
  explicit FailingFolder(
      int failures, std::function<void()> on_failure = [] {});
  ~FailingFolder();
  FailingFolder(const FailingFolder&) = delete;
  FailingFolder& operator=(const FailingFolder&) = delete;
};

}  // namespace trunkline::store
