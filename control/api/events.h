#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "control/api/call.h"
#include "control/api/desk.h"
#include "control/api/filter.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "router/base/time.h"

namespace trunkline::api {

// What has happened to the router, in the order it happened in: kept for a while, and told to those
// who watch (RouterService.WatchEvents).
//
// The last `events_max` events are in a ring, texts of bounded length in each: some 1 KiB, so 4 MiB
// in all. A watch is a position in it, so one who reads slowly costs nothing; who is further behind
// than the ring reaches is cut off (RESOURCE_EXHAUSTED), and nobody waits for him.
//
// Owned by the daemon; outlives the calls. Time is a parameter. Thread: control.
class Events {
 public:
  struct Options {
    size_t events_max = 4096;
    size_t watchers_max = 2000;
  };
  struct Hooks {
    std::function<Time()> clock;
    std::function<int64_t()> wall_clock;  // milliseconds since 1970
  };
  // `epoch` differs from that of every other router and process. Letters and digits.
  Events(std::string epoch, Hooks hooks) : Events(std::move(epoch), std::move(hooks), Options()) {}
  Events(std::string epoch, Hooks hooks, Options options);
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  // By Method::key. They refer to this.
  Handlers MakeHandlers();

  // Something that has happened, as in proto Event. Long texts are cut, bytes that are no UTF-8 and
  // fields without a text left out. Who watches is told in the next OnTime, which is due at once.
  struct Happening {
    std::string type;
    std::string subject;
    std::string message;
    std::vector<std::pair<std::string, std::string>> fields = {};
  };
  void Add(Happening happening);

  void OnTime(Time now);
  Time due() const;
  size_t watchers() const { return watchers_.size(); }

 private:
  struct Watcher;

  void Watch(const std::shared_ptr<Call>& call);
  absl::StatusOr<std::shared_ptr<Watcher>> MakeWatcher(const Call& call) const;
  void Pump(Watcher& watcher, Time now);
  bool Next(Watcher& watcher, v1::WatchEventsResponse& answer) const;
  // Of the oldest event in the ring; of the next one, if there is none.
  uint64_t first() const { return next_ - ring_.size(); }

  const std::string epoch_;
  const Hooks hooks_;
  const Options options_;
  std::deque<std::shared_ptr<const v1::Event>> ring_;
  uint64_t next_ = 1;  // number of the event after the last one
  bool news_ = false;  // events that nobody has been told of
  std::list<std::shared_ptr<Watcher>> watchers_;
};

}  // namespace trunkline::api
