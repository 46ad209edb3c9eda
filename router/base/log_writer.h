#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "router/base/counter.h"
#include "router/base/log.h"
#include "router/base/log_format.h"

namespace trunkline {

// The log of the process: every thread puts its records into a ring of its own, one thread writes
// them to a file descriptor, in the order in which they were logged.
//
// Never blocks who logs. A record that finds its thread's ring full is dropped and counted; the
// count becomes a record once there is room. A phrase (info and above) that comes more often than
// its limit allows is written up to the limit in each second, the rest is counted and told at the
// end of that second. Text that does not fit into a ring's cell is cut and ends in "...".
//
// Thread: Write is any thread's; construction, destruction and the rest its owner's.
class LogWriter final : public LogSink {
 public:
  struct Options {
    int fd = 2;  // not owned; may be blocking or not
    LogFormat format = LogFormat::kText;
    size_t ring_records = 256;          // per thread
    uint32_t repeats_per_second = 100;  // of one phrase; 0: no limit
    // Told of each record that is written, on the writer's thread: must not block, nor log. None:
    // nobody is.
    std::function<void(int64_t unix_ns, const LogRecord& record)> observer = {};
    std::function<int64_t()> clock =
        {};  // nanoseconds since 1970, any thread; none: the wall clock
  };

  explicit LogWriter(Options options);
  // Writes what was logged before. Gives up after a second in which the output takes nothing.
  ~LogWriter() override;
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  void Write(const LogRecord& record) override;

  // Returns when everything that was logged before is written. Waits as long as the output does.
  void Flush();
  // Writes to `fd` from the next batch on, or with what the output before does not take; and closes
  // it when another takes its place, or at the end. Does not wait.
  void SetOutput(int fd);
  // Records lost so far: rings that were full, output that failed.
  uint64_t dropped() const { return dropped_.Get(); }
  // Records of this level that were not lost in a ring, suppressed ones among them.
  uint64_t taken(LogLevel level) const { return taken_[static_cast<size_t>(level)].Get(); }

 private:
  struct Cell;
  struct Ring;
  struct ThreadRing;
  // One second in the life of a phrase.
  struct Second {
    int64_t start_ns = 0;
    uint32_t written = 0;
    uint64_t suppressed = 0;
  };
  using Phrase = std::pair<const char*, LogModule>;

  Ring& RingOfThisThread();
  void Wake();

  // --- the writer's thread
  void Run();
  void AdoptNewRings();
  bool Drain();
  void Take(Ring& ring);
  static bool IsOver(const Second& second, int64_t now_ns);
  bool Allows(const Cell& cell);
  void TellDropped(Ring& ring);
  void TellSuppressed(int64_t now_ns);
  void AppendOwn(int64_t unix_ns, LogKey phrase, absl::Span<const LogField> fields);
  void Append(int64_t unix_ns, const LogRecord& record);
  void TakeOutput();
  void WriteOut();
  void Sleep();

  const Options options_;
  std::atomic<int> next_fd_{-1};  // owned; taken over by the writer
  int wake_fd_ = -1;
  std::atomic<Ring*> new_rings_{
      nullptr};                      // a list; pushed by any thread, taken whole by the writer
  std::atomic<uint64_t> places_{0};  // given to records so far
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> flushes_wanted_{0};
  std::atomic<uint64_t> flushes_done_{0};
  Counter dropped_;
  std::array<Counter, static_cast<size_t>(LogLevel::kOff)> taken_;  // by level

  // The writer's thread only.
  std::vector<std::shared_ptr<Ring>> rings_;
  absl::flat_hash_map<Phrase, Second> seconds_;
  size_t suppressing_ = 0;  // phrases with something to tell
  std::string out_;
  int fd_;  // owned once it came by SetOutput
  bool owns_fd_ = false;
  bool given_up_ = false;  // stopping, and the output takes nothing

  std::thread thread_;
};

}  // namespace trunkline
