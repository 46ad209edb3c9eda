#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>

#include "control/api/desk.h"
#include "control/api/log_feed.h"

namespace trunkline::api {

// Tells those who watch the log what is written to it (TraceService.WatchLogs). A watch is a number
// in the feed; nobody waits for it.
//
// Owned by the daemon; outlives the calls, the feed outlives it. Thread: control.
class LogWatches {
 public:
  static constexpr size_t kWatchersMax = 64;

  explicit LogWatches(LogFeed& feed) : feed_(feed) {}
  LogWatches(const LogWatches&) = delete;
  LogWatches& operator=(const LogWatches&) = delete;

  // By Method::key. They refer to this.
  Handlers MakeHandlers();

  // Control was woken: there may be records.
  void OnWoken();
  size_t watchers() const { return watchers_.size(); }

 private:
  struct Watcher;

  void Watch(const std::shared_ptr<Call>& call);
  void Pump(Watcher& watcher);
  static void Tell(Watcher& watcher, const v1::LogRecord& record);
  void End(Watcher& watcher);
  void Remove(const Watcher& watcher);

  LogFeed& feed_;
  std::list<std::shared_ptr<Watcher>> watchers_;
};

}  // namespace trunkline::api
