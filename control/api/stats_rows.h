#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "control/api/method_table.h"
#include "control/api/observing.h"
#include "proto/trunkline/control/v1/stats_service.pb.h"
#include "router/metrics.h"
#include "router/snapshot.h"

namespace trunkline::api {

// Figures of the router as the API tells them, and the rates between two of them. Pure.

v1::RouterStats RouterStatsOf(const RouterMetrics& metrics);
// `now` by the clock of WorkerMetrics::turn_began.
v1::WorkerStats WorkerStatsOf(const WorkerMetrics& metrics, uint32_t worker, Time now);
v1::OwnerStats OwnerStatsOf(const OwnerMetrics& metrics);

// Per second, over `span`. What has begun since, or begun anew, counts from its beginning.
v1::RouterRates RatesOf(const v1::RouterStats& before, const v1::RouterStats& now, Duration span);
v1::WorkerRates RatesOf(const v1::WorkerStats& before, const v1::WorkerStats& now, Duration span);
v1::OwnerRates RatesOf(const v1::OwnerStats& before, const v1::OwnerStats& now, Duration span);

// What is remembered of connections and links to tell rates.
struct LinkMark {
  uint64_t deliveries = 0;
};
struct ConnectionMark {
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t frames_in = 0;
  uint64_t frames_out = 0;
};
struct Marks {
  std::map<uint64_t, LinkMark> links;              // by number
  std::map<uint64_t, ConnectionMark> connections;  // by id
};
Marks MarksOf(const Snapshot& snapshot);

// Those with the highest rates, `limit` of them.
std::vector<v1::LinkRates> TopLinks(const Snapshot& snapshot, const Marks& before, Duration span,
                                    size_t limit);
std::vector<v1::ConnectionRates> TopConnections(const Snapshot& snapshot, const Marks& before,
                                                Duration span, size_t limit);
std::vector<v1::RouteRates> TopRoutes(const Snapshot& snapshot, const Marks& before, Duration span,
                                      size_t limit);

}  // namespace trunkline::api
