#include "control/metrics/endpoint.h"

#include <utility>

#include "control/metrics/open_metrics.h"
#include "control/metrics/probes.h"
#include "control/metrics/process.h"
#include "control/metrics/qdr_names.h"
#include "control/metrics/rows.h"
#include "prometheus/text_serializer.h"

namespace trunkline::metrics {
namespace {

// Shorter windows say little, and two scrapers would leave each other such.
constexpr Duration kWindowMin = Seconds(1);

constexpr unsigned kUnavailable = 503;
constexpr unsigned kNotFound = 404;

}  // namespace

Endpoint::Endpoint(Sources sources) : sources_(std::move(sources)), process_start_(ProcessStart()) {
  window_.since = sources_.now();
}

http::Response Endpoint::Handle(const http::Request& request) {
  if (paths_.metrics && request.path == "/metrics") return Scrape(request);
  const bool is_probe =
      request.path == "/livez" || request.path == "/readyz" || request.path == "/healthz";
  if (paths_.probes && is_probe) return Probe(std::string(request.path));
  http::Response nothing{.status = kNotFound, .body = "there is:"};
  if (paths_.metrics) nothing.body += " /metrics";
  if (paths_.probes) nothing.body += " /livez /readyz /healthz";
  nothing.body += "\n";
  return nothing;
}

http::Response Endpoint::Scrape(const http::Request& request) {
  const Time start = sources_.now();
  std::vector<prometheus::MetricFamily> families = Collect();
  // OpenMetrics cannot have those names: whoever takes either format is to see them.
  const bool prefers_text = paths_.qdr_names && TakesText(request.accept);
  http::Response response;
  if (WantsOpenMetrics(request.accept) && !prefers_text) {
    response.content_type = kOpenMetricsType;
    response.body = WriteOpenMetrics(families);
  } else {
    if (paths_.qdr_names) AddQdrNames(families);
    const prometheus::TextSerializer serializer;
    response.content_type = kTextType;
    response.body = static_cast<const prometheus::Serializer&>(serializer).Serialize(families);
  }
  last_scrape_ = sources_.now() - start;
  return response;
}

http::Response Endpoint::Probe(const std::string& path) const {
  const Time beat{sources_.control_beat_ns.load(std::memory_order_relaxed)};
  const Health live = Live(sources_.router().workers, beat, sources_.now());
  const bool asks_ready = path == "/readyz";
  const Health health = asks_ready ? Ready(live, state_) : live;
  http::Response response{.status = health.good() ? 200 : kUnavailable};
  // Those who come from Dispatch look for this text.
  const bool short_answer = path == "/healthz" && health.good();
  response.body = short_answer ? "OK\n" : health.Text(asks_ready ? "ready" : "alive");
  return response;
}

std::vector<prometheus::MetricFamily> Endpoint::Collect() const {
  const RouterMetrics router = sources_.router();
  const Time beat{sources_.control_beat_ns.load(std::memory_order_relaxed)};
  const Health ready = Ready(Live(router.workers, beat, sources_.now()), state_);
  Families families;
  AddIdentity(sources_.identity, families);
  families.Add(Metric::kReady, {"control"}, uint64_t{ready.control.empty()});
  families.Add(Metric::kReady, {"data"}, uint64_t{ready.data.empty()});
  AddConnections(router, families);
  AddRouter(router, families);
  AddBusyRatio(router, families);
  AddControl(state_, families);
  AddLog(sources_.log(), families);
  AddHttp(sources_.http, families);
  families.Add(Metric::kScrapeDuration, {}, last_scrape_.seconds());
  AddProcess(ReadProcess(), process_start_, families);
  return families.Take();
}

void Endpoint::AddBusyRatio(const RouterMetrics& router, Families& families) const {
  const Time now = sources_.now();
  const Duration span = now - window_.since;
  window_.busy_ns.resize(router.workers.size());
  window_.ratio.resize(router.workers.size());
  for (size_t i = 0; i < router.workers.size(); ++i) {
    const uint64_t busy_ns = router.workers[i].busy_ns;
    if (span >= kWindowMin) {
      const uint64_t work = busy_ns - std::exchange(window_.busy_ns[i], busy_ns);
      window_.ratio[i] = static_cast<double>(work) / static_cast<double>(span.ns);
    }
    families.Add(Metric::kWorkerBusyRatio, {std::to_string(i)}, window_.ratio[i]);
  }
  if (span >= kWindowMin) window_.since = now;
}

}  // namespace trunkline::metrics
