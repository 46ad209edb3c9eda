#include "control/metrics/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "control/metrics/names.h"
#include "control/metrics/open_metrics.h"

namespace trunkline::metrics {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using ::testing::ElementsAreArray;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::array<uint64_t, 2> kBounds = {10, 1000};

Spread SpreadOf(uint64_t count) {
  return {.bounds = kBounds, .counts = {count, 2 * count, 3 * count}, .sum = 5000 * count};
}

// One listener or connector, with everything in it that there can be.
OwnerMetrics Owner(const std::string& name, bool inbound, uint64_t count) {
  OwnerMetrics owner;
  owner.name = name;
  owner.inbound = inbound;
  owner.opened = 10 * count;
  owner.closed = {{"peer", count}, {"error", 2 * count}};
  owner.failed = {{"tls", count}, {"sasl", count}};
  if (inbound) owner.refused = {{"listener_full", count}};
  owner.tls_handshakes = {{"ok", count}};
  owner.sasl = {{"PLAIN", count, count, count}};
  return owner;
}

RouterMetrics Metrics(uint64_t count) {
  RouterMetrics metrics;
  metrics.sums.deliveries_in = 3 * count;
  metrics.sums.longest_turn = Milliseconds(5);
  metrics.links_in = count;
  metrics.dropped = {{"no_consumer", count}};
  metrics.faults = {{"framing", count}};
  metrics.message_size = SpreadOf(count);
  metrics.forward_duration = SpreadOf(count);
  metrics.credit_wait = SpreadOf(count);
  metrics.turn_duration = SpreadOf(count);
  metrics.outcomes = {"accepted"};
  metrics.settle_duration = {SpreadOf(count)};
  metrics.workers = {{.turns = count, .busy_ns = count, .turn_began = kNever}};
  metrics.owners = {Owner("amqp", true, count), Owner("broker", false, count)};
  return metrics;
}

ControlState State() {
  ControlState state;
  state.started = true;
  state.certificates = {{.profile = "service",
                         .leaf_not_after = 1800000000,
                         .ca_not_after = 1900000000,
                         .revision = 2,
                         .reloads_ok = 1}};
  state.connectors = {{"broker", "open"}};
  state.configured_at_ms = 1700000000500;
  state.resources_failed = 4;
  state.state_writes_failed = 3;
  state.calls = {{.service = "RouterService",
                  .method = "GetVersion",
                  .ended = {{"OK", 5}, {"CANCELLED", 1}},
                  .duration = SpreadOf(1)},
                 {.service = "RouterService",
                  .method = "WatchEvents",
                  .streams = true,
                  .open = 2,
                  .ended = {{"CANCELLED", 8}},
                  .duration = {}}};
  state.calls_denied = {{"role_required", 6}};
  state.calls_refused = {{"too_many_calls", 7}};
  return state;
}

// An Endpoint over values that a test sets.
class EndpointTest : public ::testing::Test {
 protected:
  EndpointTest()
      : endpoint_({.identity = {"1.2.3", "OpenSSL 3", "east"},
                   .router = [this] { return router_; },
                   .log = [this] { return log_; },
                   .now = [this] { return now_; },
                   .control_beat_ns = beat_ns_,
                   .http = stats_}) {
    endpoint_.Tell(State());
  }

  http::Response Get(const std::string& path, const std::string& accept = "") {
    return endpoint_.Handle({.path = path, .accept = accept});
  }
  // The value of a sample in the text format; empty if it is not there.
  std::string Value(const std::string& sample) {
    const std::string text = "\n" + Get("/metrics").body;
    const size_t start = text.find("\n" + sample + " ");
    if (start == std::string::npos) return "";
    const size_t value = start + sample.size() + 2;
    return text.substr(value, text.find('\n', value) - value);
  }

  RouterMetrics router_ = Metrics(7);
  LogCounts log_;
  http::Server::Stats stats_;
  Time now_{Seconds(1000).ns};
  std::atomic<int64_t> beat_ns_{Seconds(999).ns};
  Endpoint endpoint_;
};

TEST(Names, KeepTheRulesOfPrometheus) {
  const std::regex name("(trunkline|process)(_[a-z]+)+");
  const std::regex label("[a-z]+(_[a-z]+)*");
  std::set<std::string_view> seen;
  for (size_t i = 0; i < kMetrics; ++i) {
    const Family& family = kFamilies[i];
    SCOPED_TRACE(std::string(family.name));
    EXPECT_EQ(static_cast<size_t>(family.metric), i);
    EXPECT_TRUE(seen.insert(family.name).second);
    EXPECT_TRUE(std::regex_match(std::string(family.name), name));
    EXPECT_EQ(family.kind == Kind::kCounter, family.name.ends_with("_total"));
    EXPECT_FALSE(family.help.empty());
    for (char c : family.help) EXPECT_TRUE(c >= ' ' && c <= '~' && c != '\\') << c;
    EXPECT_FALSE(family.help.ends_with('.'));
    std::set<std::string_view> labels;
    for (size_t l = 0; l < family.label_count(); ++l) {
      EXPECT_TRUE(std::regex_match(std::string(family.labels[l]), label));
      EXPECT_TRUE(labels.insert(family.labels[l]).second);
      EXPECT_NE(family.labels[l], "le");
    }
  }
}

TEST_F(EndpointTest, ExportsEveryNameOfTheTableAndNoOther) {
  std::vector<std::string> exported;
  std::vector<std::string> table;
  for (const MetricFamily& family : endpoint_.Collect()) exported.push_back(family.name);
  for (const Family& family : kFamilies) table.emplace_back(family.name);
  EXPECT_THAT(exported, ElementsAreArray(table));
}

TEST_F(EndpointTest, ExportsTheTypesAndLabelsOfTheTable) {
  std::map<std::string_view, const Family*> table;
  for (const Family& family : kFamilies) table[family.name] = &family;
  for (const MetricFamily& family : endpoint_.Collect()) {
    const Family& wanted = *table.at(family.name);
    SCOPED_TRACE(family.name);
    EXPECT_EQ(family.type == MetricType::Histogram, wanted.kind == Kind::kHistogram);
    EXPECT_EQ(family.type == MetricType::Counter, wanted.kind == Kind::kCounter);
    std::set<std::vector<std::string>> series;
    for (const auto& metric : family.metric) {
      std::vector<std::string> values;
      for (size_t i = 0; i < metric.label.size(); ++i) {
        EXPECT_EQ(metric.label[i].name, wanted.labels[i]);
        values.push_back(metric.label[i].value);
      }
      EXPECT_EQ(metric.label.size(), wanted.label_count());
      EXPECT_TRUE(series.insert(values).second) << "twice";
    }
  }
}

// Labels of all series, without the samples.
std::vector<std::string> SeriesOf(const Endpoint& endpoint) {
  std::vector<std::string> series;
  for (const MetricFamily& family : endpoint.Collect()) {
    for (const auto& metric : family.metric) {
      std::string one = family.name;
      for (const auto& label : metric.label) one += "," + label.name + "=" + label.value;
      series.push_back(one);
    }
  }
  return series;
}

TEST_F(EndpointTest, HasTheSameSeriesWhateverIsCounted) {
  const auto before = SeriesOf(endpoint_);
  router_ = Metrics(0);
  EXPECT_EQ(SeriesOf(endpoint_), before);
}

// All that one listener or connector can have.
OwnerMetrics WholeOwner(const std::string& name, bool inbound) {
  OwnerMetrics owner = Owner(name, inbound, 1);
  owner.closed = {{"a"}, {"b"}, {"c"}, {"d"}, {"e"}, {"f"}};
  owner.failed = {{"a"}, {"b"}, {"c"}, {"d"}};
  if (!inbound) owner.failed.push_back({"e"});
  if (inbound) owner.refused = {{"a"}, {"b"}, {"c"}, {"d"}};
  owner.tls_handshakes = {{"a"}, {"b"}, {"c"}, {"d"}, {"e"}, {"f"}};
  owner.sasl = {{"ANONYMOUS"}, {"PLAIN"}};
  return owner;
}

// A budget, not a rule of any format: what a router adds to a Prometheus. Histograms are a dozen
// samples or two each and count as one series here.
TEST_F(EndpointTest, HasFewSeriesForEachThingThatIsConfigured) {
  const size_t without = SeriesOf(endpoint_).size();
  const auto more = [&](auto add) {
    const RouterMetrics before = router_;
    add();
    const size_t series = SeriesOf(endpoint_).size() - without;
    router_ = before;
    return series;
  };
  EXPECT_LE(more([&] { router_.owners.push_back(WholeOwner("l", true)); }), 32u);
  EXPECT_LE(more([&] { router_.owners.push_back(WholeOwner("c", false)); }), 32u);
  EXPECT_LE(more([&] { router_.workers.push_back({}); }), 5u);
  router_.owners.clear();
  endpoint_.Tell({});
  EXPECT_LE(SeriesOf(endpoint_).size(), 90u);
}

TEST_F(EndpointTest, AnswersInTheFormatThatIsAskedFor) {
  const http::Response text = Get("/metrics", "*/*");
  EXPECT_EQ(text.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(text.body, HasSubstr("# TYPE trunkline_deliveries_total counter\n"));
  EXPECT_THAT(text.body, Not(HasSubstr("# EOF")));
  const http::Response open = Get("/metrics", "application/openmetrics-text");
  EXPECT_EQ(open.content_type, kOpenMetricsType);
  EXPECT_THAT(open.body, HasSubstr("# TYPE trunkline_deliveries counter\n"));
  EXPECT_THAT(open.body, EndsWith("# EOF\n"));
}

TEST_F(EndpointTest, HasNoNamesOfDispatchUnlessAskedTo) {
  EXPECT_THAT(Get("/metrics").body, Not(HasSubstr("qdr_")));
  endpoint_.Offer({.qdr_names = true});
  const std::string text = Get("/metrics").body;
  EXPECT_THAT(text, HasSubstr("# TYPE qdr_connections_total gauge\nqdr_connections_total 98\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE qdr_deliveries_ingress_total counter\n"
                              "qdr_deliveries_ingress_total 21\n"));
  EXPECT_EQ(Value(R"(trunkline_deliveries_total{path="ingress"})"), "21");
  endpoint_.Offer({});
  EXPECT_THAT(Get("/metrics").body, Not(HasSubstr("qdr_")));
}

TEST_F(EndpointTest, GivesTextWithTheNamesOfDispatchToWhoTakesEither) {
  const std::string prometheus =
      "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  EXPECT_EQ(Get("/metrics", prometheus).content_type, kOpenMetricsType);
  endpoint_.Offer({.qdr_names = true});
  const http::Response text = Get("/metrics", prometheus);
  EXPECT_EQ(text.content_type, kTextType);
  EXPECT_THAT(text.body, HasSubstr("qdr_connections_total"));
  const http::Response open = Get("/metrics", "application/openmetrics-text");
  EXPECT_EQ(open.content_type, kOpenMetricsType);
  EXPECT_THAT(open.body, Not(HasSubstr("qdr_")));
}

TEST_F(EndpointTest, TellsWhatTheRouterCounts) {
  EXPECT_EQ(Value(R"(trunkline_deliveries_total{path="ingress"})"), "21");
  EXPECT_EQ(Value(R"(trunkline_build_info{version="1.2.3",openssl_version="OpenSSL 3"})"), "1");
  EXPECT_EQ(Value(R"(trunkline_links{direction="in"})"), "7");
  EXPECT_EQ(Value("trunkline_worker_turn_max_seconds"), "0.005");
  const std::string owner = R"(role="normal",direction="in",listener="amqp",connector="")";
  EXPECT_EQ(Value("trunkline_connections{" + owner + "}"), "49");
  EXPECT_EQ(Value("trunkline_connections_opened_total{" + owner + "}"), "70");
  EXPECT_EQ(Value("trunkline_connections_closed_total{" + owner + ",reason=\"error\"}"), "14");
  EXPECT_EQ(Value(R"(trunkline_message_size_bytes_bucket{direction="in",le="1000"})"), "21");
  EXPECT_EQ(Value(R"(trunkline_message_size_bytes_count{direction="in"})"), "42");
  EXPECT_EQ(Value(R"(trunkline_message_size_bytes_sum{direction="in"})"), "35000");
  EXPECT_EQ(Value(R"(trunkline_connector_state{connector="broker",state="open"})"), "1");
  EXPECT_EQ(Value(R"(trunkline_connector_state{connector="broker",state="backoff"})"), "0");
  EXPECT_EQ(Value("trunkline_config_last_reload_timestamp_seconds"), "1700000000.5");
}

TEST_F(EndpointTest, TellsWhatBecameOfCallsOfTheApi) {
  const std::string get = R"({service="RouterService",method="GetVersion")";
  const std::string watch = R"({service="RouterService",method="WatchEvents")";
  EXPECT_EQ(Value("trunkline_control_requests_total" + get + R"(,code="OK"})"), "5");
  EXPECT_EQ(Value("trunkline_control_requests_total" + get + R"(,code="CANCELLED"})"), "1");
  EXPECT_EQ(Value("trunkline_control_requests_total" + watch + R"(,code="CANCELLED"})"), "8");
  EXPECT_EQ(Value("trunkline_control_request_duration_seconds_count" + get + "}"), "6");
  EXPECT_EQ(Value("trunkline_control_request_duration_seconds_count" + watch + "}"), "");
  EXPECT_EQ(Value("trunkline_control_watchers" + watch + "}"), "2");
  EXPECT_EQ(Value("trunkline_control_watchers" + get + "}"), "");
  EXPECT_EQ(Value(R"(trunkline_control_auth_denied_total{reason="role_required"})"), "6");
  EXPECT_EQ(Value(R"(trunkline_control_requests_refused_total{reason="too_many_calls"})"), "7");
}

TEST_F(EndpointTest, TellsWhatCouldNotBePutInForceOrKept) {
  EXPECT_EQ(Value("trunkline_config_failed_resources"), "4");
  EXPECT_EQ(Value(R"(trunkline_state_writes_total{result="ok"})"), "0");
  EXPECT_EQ(Value(R"(trunkline_state_writes_total{result="failed"})"), "3");
}

TEST_F(EndpointTest, WritesLargeNumbersInFull) {
  router_.sums.deliveries_in = 9007199254740991;
  EXPECT_EQ(Value(R"(trunkline_deliveries_total{path="ingress"})"), "9007199254740991");
}

TEST_F(EndpointTest, TellsHowBusyWorkersWereInAWindowOfASecond) {
  const std::string ratio = R"(trunkline_worker_busy_ratio{worker="0"})";
  router_.workers[0].busy_ns = 0;
  now_ = now_ + Seconds(10);
  EXPECT_EQ(Value(ratio), "0");
  router_.workers[0].busy_ns = 500'000'000;
  now_ = now_ + Seconds(2);
  EXPECT_EQ(Value(ratio), "0.25");
  now_ = now_ + Milliseconds(1);
  EXPECT_EQ(Value(ratio), "0.25");
}

TEST_F(EndpointTest, IsAliveWhileControlAndWorkersTurn) {
  EXPECT_EQ(Get("/livez").status, 200u);
  EXPECT_EQ(Get("/livez").body, "control: alive\ndata: alive\n");
  EXPECT_EQ(Get("/healthz").body, "OK\n");
  beat_ns_ = (now_ - Seconds(30)).ns;
  router_.workers[0].turn_began = now_ - Seconds(10);
  EXPECT_EQ(Get("/livez").status, 200u);
  EXPECT_EQ(Get("/readyz").status, 200u);
}

TEST_F(EndpointTest, IsDeadWhenControlDoesNotTurn) {
  beat_ns_ = (now_ - Seconds(30)).ns - 1;
  EXPECT_EQ(Get("/livez").status, 503u);
  EXPECT_EQ(Get("/livez").body, "control: no turn for 30 s\ndata: alive\n");
  EXPECT_EQ(Get("/healthz").status, 503u);
  EXPECT_EQ(Get("/readyz").status, 503u);
  EXPECT_EQ(Value(R"(trunkline_ready{component="control"})"), "0");
}

TEST_F(EndpointTest, IsDeadWhenAWorkerIsStuckInATurn) {
  router_.workers[0].turn_began = now_ - Seconds(10) - Duration{1};
  EXPECT_EQ(Get("/livez").status, 503u);
  EXPECT_EQ(Get("/livez").body, "control: alive\ndata: worker 0 in one turn for 10 s\n");
  EXPECT_EQ(Value(R"(trunkline_ready{component="data"})"), "0");
}

TEST_F(EndpointTest, IsReadyOnceStartedAndUntilItDrains) {
  EXPECT_EQ(Get("/readyz").body, "control: ready\ndata: ready\n");
  ControlState state = State();
  state.started = false;
  endpoint_.Tell(state);
  EXPECT_EQ(Get("/readyz").status, 503u);
  EXPECT_EQ(Get("/readyz").body, "control: ready\ndata: starting\n");
  EXPECT_EQ(Get("/livez").status, 200u);
  state.started = true;
  state.draining = true;
  endpoint_.Tell(state);
  EXPECT_EQ(Get("/readyz").body, "control: ready\ndata: draining\n");
  EXPECT_EQ(Value(R"(trunkline_ready{component="data"})"), "0");
}

TEST_F(EndpointTest, KnowsNoOtherPaths) {
  for (const char* path : {"/", "", "/metrics/", "/Metrics", "/livez/x", "*", "//metrics"}) {
    EXPECT_EQ(Get(path).status, 404u) << path;
  }
}

TEST_F(EndpointTest, TellsWhatTheProcessUses) {
  for (const char* name : {"process_resident_memory_bytes", "process_virtual_memory_bytes",
                           "process_open_fds", "process_max_fds"}) {
    EXPECT_GT(std::stod(Value(name)), 0) << name;
  }
  // Begun in the last hour, by the same clock.
  const double start = std::stod(Value("process_start_time_seconds"));
  EXPECT_NEAR(start, static_cast<double>(::time(nullptr)), 3600);
}

}  // namespace
}  // namespace trunkline::metrics
