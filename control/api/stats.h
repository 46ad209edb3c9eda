#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "control/api/call.h"
#include "control/api/desk.h"
#include "control/api/observing.h"
#include "proto/trunkline/control/v1/stats_service.pb.h"
#include "router/base/time.h"
#include "router/metrics.h"

namespace trunkline::api {

// Answers StatsService: what the router counts, and how fast it grows.
//
// Owned by the daemon. Thread: control.
class StatsWatch {
 public:
  static constexpr size_t kWatchersMax = 100;

  struct Hooks {
    std::function<Time()> clock;
    std::function<RouterMetrics()> metrics;  // Router::Metrics
    std::function<v1::ProcessStats()> process;
  };
  // All outlive us.
  StatsWatch(Observing& observing, const WallClock& wall, Hooks hooks);
  ~StatsWatch();
  StatsWatch(const StatsWatch&) = delete;
  StatsWatch& operator=(const StatsWatch&) = delete;

  Handlers MakeHandlers();
  void Tick(Time now);
  Time NextDeadline() const;
  size_t watchers() const { return watchers_.size(); }

 private:
  using Parts = std::set<v1::StatsPart>;
  struct Watcher;

  void Get(Call& call) const;
  void Watch(const std::shared_ptr<Call>& call);
  void Begin(const std::shared_ptr<Watcher>& watcher, Time now);
  void Tell(Watcher& watcher, Time now, const Snapshot& snapshot);

  Observing& observing_;
  const WallClock& wall_;
  const Hooks hooks_;
  std::list<std::shared_ptr<Watcher>> watchers_;
};

}  // namespace trunkline::api
