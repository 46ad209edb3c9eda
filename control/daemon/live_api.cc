#include "control/daemon/live_api.h"

#include <time.h>

#include <cmath>
#include <variant>

#include "control/metrics/process.h"

namespace trunkline::daemon {
namespace {

// By how much people's clock is ahead of the router's.
int64_t WallAhead() {
  timespec wall{};
  timespec monotonic{};
  ::clock_gettime(CLOCK_REALTIME, &wall);
  ::clock_gettime(CLOCK_MONOTONIC, &monotonic);
  return (wall.tv_sec - monotonic.tv_sec) * kSecond.ns + (wall.tv_nsec - monotonic.tv_nsec);
}

v1::ProcessStats ProcessStatsOf(const metrics::ProcessStats& system) {
  v1::ProcessStats stats;
  const double seconds = std::floor(system.cpu_seconds);
  stats.mutable_processor_time()->set_seconds(static_cast<int64_t>(seconds));
  stats.mutable_processor_time()->set_nanos(
      static_cast<int32_t>((system.cpu_seconds - seconds) * 1e9));
  stats.set_resident_bytes(system.resident_bytes);
  stats.set_virtual_bytes(system.virtual_bytes);
  stats.set_descriptors_open(system.open_fds);
  stats.set_descriptors_max(system.max_fds);
  return stats;
}

}  // namespace

LiveApi::LiveApi(Router& router, Random& random, const std::function<Time()>& clock)
    : observing_([&router](const ObserveWish& wish) { return router.Observe(wish); }),
      wall_(WallAhead()),
      connections_(observing_, wall_, random,
                   {.clock = clock,
                    .close =
                        [&router](uint64_t connection, const std::string& why) {
                          return router.CloseConnection(connection, why);
                        },
                    .close_link =
                        [&router](uint64_t connection, uint64_t link, const std::string& why) {
                          return router.CloseLink(connection, link, why);
                        },
                    .switch_link =
                        [&router](uint64_t connection, uint64_t link, LinkSwitch to) {
                          return router.SwitchLink(connection, link, to);
                        }}),
      routes_(observing_,
              [&router](const std::string& address) { return router.Resolve(address); }),
      stats_(observing_, wall_,
             {.clock = clock,
              .metrics = [&router] { return router.Metrics(); },
              .process = [] { return ProcessStatsOf(metrics::ReadProcess()); }}) {}

void LiveApi::AddHandlers(api::Handlers& handlers) {
  handlers.merge(connections_.MakeHandlers());
  handlers.merge(routes_.MakeHandlers());
  handlers.merge(stats_.MakeHandlers());
  routes_.Wrap(handlers);
}

void LiveApi::OnTime(Time now) {
  connections_.Tick(now);
  stats_.Tick(now);
}

void LiveApi::OnEvent(const RouterEvent& event) {
  if (const auto* answer = std::get_if<Observed>(&event)) return observing_.OnObserved(*answer);
  connections_.OnEvent(event);
}

}  // namespace trunkline::daemon
