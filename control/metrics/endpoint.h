#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "control/http/message.h"
#include "control/http/server.h"
#include "control/metrics/families.h"
#include "control/metrics/state.h"
#include "prometheus/collectable.h"
#include "router/metrics.h"

namespace trunkline::metrics {

// What is answered on the metrics port: /metrics, /livez, /readyz and /healthz, or some of them.
// Reads counters and what control told last, and waits for nobody.
//
// Thread: the HTTP server's; while there is none, its owner's.
class Endpoint final : public prometheus::Collectable {
 public:
  struct Sources {
    Identity identity;
    std::function<RouterMetrics()> router;  // all of them can be asked by any thread
    std::function<LogCounts()> log;
    std::function<Time()> now;
    const std::atomic<int64_t>& control_beat_ns;  // control's last turn
    const http::Server::Stats& http;
  };

  explicit Endpoint(Sources sources);
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // Which paths there are; another one is answered by 404.
  struct Paths {
    bool metrics = true;
    bool probes = true;      // /livez, /readyz and /healthz
    bool qdr_names = false;  // those of qdr_names.h are in the text format of /metrics, too
  };
  void Offer(Paths paths) { paths_ = paths; }

  void Tell(ControlState state) { state_ = std::move(state); }
  http::Response Handle(const http::Request& request);

  // Everything of names.h.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  // Work of the workers since some earlier scrape.
  struct Window {
    Time since;
    std::vector<uint64_t> busy_ns;  // then
    std::vector<double> ratio;      // of the last window that was long enough
  };

  http::Response Scrape(const http::Request& request);
  http::Response Probe(const std::string& path) const;
  void AddBusyRatio(const RouterMetrics& router, Families& families) const;

  const Sources sources_;
  const double process_start_;
  Paths paths_;
  ControlState state_;
  mutable Window window_;
  Duration last_scrape_;
};

}  // namespace trunkline::metrics
