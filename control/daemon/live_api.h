#pragma once

#include <algorithm>
#include <functional>
#include <string>

#include "control/api/connections.h"
#include "control/api/desk.h"
#include "control/api/observing.h"
#include "control/api/routes.h"
#include "control/api/stats.h"
#include "router/base/random.h"
#include "router/base/time.h"
#include "router/router.h"

namespace trunkline::daemon {

// What the API tells of a running router, beyond its resources: connections, links, routes, counts.
//
// Owned by ResourceApi. Thread: control.
class LiveApi {
 public:
  // Both outlive us.
  LiveApi(Router& router, Random& random, const std::function<Time()>& clock);
  LiveApi(const LiveApi&) = delete;
  LiveApi& operator=(const LiveApi&) = delete;

  // Adds ours, and has those of addresses tell what is in use.
  void AddHandlers(api::Handlers& handlers);
  void FillStatus(const std::string& id, v1::Address& address) const {
    routes_.FillStatus(id, address);
  }

  void OnEvent(const RouterEvent& event);
  void OnTime(Time now);
  // What others look at the router by; as long as we live.
  api::Observing& observing() { return observing_; }
  const api::WallClock& wall() const { return wall_; }
  Time due() const { return std::min(connections_.NextDeadline(), stats_.NextDeadline()); }

 private:
  api::Observing observing_;
  const api::WallClock wall_;
  api::Connections connections_;
  api::Routes routes_;
  api::StatsWatch stats_;
};

}  // namespace trunkline::daemon
