#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "proto/trunkline/control/v1/trace_service.pb.h"
#include "router/base/log.h"

namespace trunkline {
namespace v1 = control::v1;
}

namespace trunkline::api {

// The last records of the log, on their way from its writer to those who watch it over the API:
// some 1 KiB each. At the bound the oldest goes; who has not read it by then has missed it.
//
// Outlives the log's writer. Thread: Push is the log writer's, the rest control's. The lock is held
// for a few instructions.
class LogFeed {
 public:
  static constexpr size_t kRecordsMax = 1024;

  // `wake` is called on the log writer's thread when there is something that control waits for.
  explicit LogFeed(std::function<void()> wake, size_t records_max = kRecordsMax)
      : wake_(std::move(wake)), records_max_(records_max) {}
  LogFeed(const LogFeed&) = delete;
  LogFeed& operator=(const LogFeed&) = delete;

  // A record that is being written, at `unix_ns`. Does not log.
  void Push(int64_t unix_ns, const LogRecord& record);

  using Records = std::vector<std::shared_ptr<const v1::LogRecord>>;
  // Those that are there from number `from` on, so many at most; the first has number `first`. They
  // are numbered from 1 on.
  struct Batch {
    uint64_t first = 0;
    Records records;
  };
  Batch Read(uint64_t from, size_t records_max) const;
  // Of the oldest that is there, and of the next one to come.
  uint64_t oldest() const;
  uint64_t next() const;
  // The next record wakes control; asked for anew each time.
  void WakeAtNext();

 private:
  const std::function<void()> wake_;
  const size_t records_max_;
  mutable std::mutex mutex_;  // of what follows
  std::deque<std::shared_ptr<const v1::LogRecord>> ring_;
  uint64_t next_ = 1;
  bool wake_wanted_ = false;
};

// As the proto has it.
v1::LogLevel ToProto(LogLevel level);

}  // namespace trunkline::api
