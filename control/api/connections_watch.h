#pragma once

#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "control/api/call.h"
#include "control/api/method_table.h"
#include "control/api/observing.h"
#include "control/api/watch_hub.h"
#include "proto/trunkline/control/v1/connection_service.pb.h"
#include "router/base/random.h"
#include "router/base/time.h"
#include "router/observe.h"

namespace trunkline::api {

// Serves WatchConnections. Nothing is kept of connections while nobody watches, so that many of
// them cost nothing here: the first who watches has the router looked at, and from then on its
// events are followed, until nobody has watched for kKept. Tokens of that time are then not known
// any more.
//
// Should events have been lost (control did not come to take them), the router is looked at again.
//
// Owned by Connections. Thread: control.
class ConnectionsWatch {
 public:
  static constexpr Duration kKept = kMinute * 5;

  // All of them outlive us. `clock` tells the time.
  ConnectionsWatch(Observing& observing, const WallClock& wall, Random& random,
                   std::function<Time()> clock);
  ~ConnectionsWatch();
  ConnectionsWatch(const ConnectionsWatch&) = delete;
  ConnectionsWatch& operator=(const ConnectionsWatch&) = delete;

  void Serve(const std::shared_ptr<Call>& call);
  void OnEvent(const RouterEvent& event);
  void Tick(Time now);
  Time NextDeadline() const;

  // What is kept: tests want to know.
  size_t resources() const { return hub_ == nullptr ? 0 : hub_->resources(); }

 private:
  void Begin();
  // Has the router looked at.
  absl::Status Look();
  void Fill(const Snapshot& snapshot);
  void Join(const std::shared_ptr<Call>& call);
  void Put(std::shared_ptr<const v1::Connection> row);
  void Erase(uint64_t id);

  Observing& observing_;
  const WallClock& wall_;
  Random& random_;
  const std::function<Time()> clock_;
  std::unique_ptr<WatchHub> hub_;              // null: nobody watches
  bool filled_ = false;                        // what was there is in it
  bool looking_ = false;                       // at the router
  bool look_again_ = false;                    // events were lost
  std::set<uint64_t> came_;                    // while looking: connections that have opened
  std::set<uint64_t> gone_;                    // and closed
  std::set<uint64_t> there_;                   // those in the hub
  std::vector<std::shared_ptr<Call>> coming_;  // who waits for that
  Time idle_since_ = kNever;                   // nobody watches
};

}  // namespace trunkline::api
