#include "control/metrics/qdr_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/metrics/families.h"

namespace trunkline::metrics {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using ::testing::ElementsAreArray;

// What those who come from elsewhere know, by the type that it had there.
const std::set<std::string> kGauges = {"qdr_connections_total",      "qdr_links_total",
                                       "qdr_addresses_total",        "qdr_routers_total",
                                       "qdr_link_routes_total",      "qdr_auto_links_total",
                                       "qdr_deliveries_stuck_total", "qdr_links_blocked_total",
                                       "qdr_router_rss_bytes",       "qdr_amqp_service_connections",
                                       "qdr_router_vmsize_bytes",    "qdr_alloc_pool_bytes"};
const std::set<std::string> kCounters = {
    "qdr_presettled_deliveries_total",    "qdr_dropped_presettled_deliveries_total",
    "qdr_accepted_deliveries_total",      "qdr_released_deliveries_total",
    "qdr_rejected_deliveries_total",      "qdr_modified_deliveries_total",
    "qdr_deliveries_ingress_total",       "qdr_deliveries_egress_total",
    "qdr_deliveries_transit_total",       "qdr_deliveries_delayed_1sec_total",
    "qdr_deliveries_delayed_10sec_total", "qdr_deliveries_redirected_to_fallback_total"};

TEST(QdrNames, AreTheOldOnesWithTheirTypes) {
  std::set<std::string> gauges;
  std::set<std::string> counters;
  for (const QdrName& alias : kQdrNames) {
    SCOPED_TRACE(std::string(alias.name));
    EXPECT_TRUE((alias.kind == Kind::kCounter ? counters : gauges).emplace(alias.name).second);
    EXPECT_NE(alias.kind, Kind::kHistogram);
    EXPECT_FALSE(alias.help.empty());
    for (char c : alias.help) EXPECT_TRUE(c >= ' ' && c <= '~' && c != '\\') << c;
    EXPECT_FALSE(alias.help.ends_with('.'));
  }
  EXPECT_THAT(gauges, ElementsAreArray(kGauges));
  EXPECT_THAT(counters, ElementsAreArray(kCounters));
}

TEST(QdrNames, AreMadeOfMetricsThatCanBeSummed) {
  for (const QdrName& alias : kQdrNames) {
    SCOPED_TRACE(std::string(alias.name));
    if (!alias.source) {
      EXPECT_EQ(alias.label, "");
      continue;
    }
    const Family& source = FamilyOf(*alias.source);
    EXPECT_EQ(source.kind, alias.kind);
    if (!alias.label.empty()) {
      EXPECT_EQ(source.label_count(), 1u);
    }
  }
}

// Values of the names that AddQdrNames adds.
std::map<std::string, double> Added(Families& rows) {
  std::vector<MetricFamily> families = rows.Take();
  const size_t before = families.size();
  AddQdrNames(families);
  std::map<std::string, double> values;
  for (size_t i = before; i < families.size(); ++i) {
    const MetricFamily& family = families[i];
    EXPECT_EQ(family.metric.size(), 1u) << family.name;
    EXPECT_TRUE(family.metric[0].label.empty()) << family.name;
    EXPECT_EQ(family.type == MetricType::Counter, kCounters.contains(family.name)) << family.name;
    EXPECT_EQ(family.type == MetricType::Gauge, kGauges.contains(family.name)) << family.name;
    values[family.name] = family.type == MetricType::Counter ? family.metric[0].counter.value
                                                             : family.metric[0].gauge.value;
  }
  return values;
}

TEST(QdrNames, AreSumsOfOurRows) {
  Families rows;
  rows.Add(Metric::kConnections, {"normal", "in", "amqp", ""}, uint64_t{3});
  rows.Add(Metric::kConnections, {"route_container", "out", "", "broker"}, uint64_t{1});
  rows.Add(Metric::kLinks, {"in"}, uint64_t{5});
  rows.Add(Metric::kLinks, {"out"}, uint64_t{7});
  rows.Add(Metric::kAddresses, {}, uint64_t{2});
  rows.Add(Metric::kDeliveries, {"ingress"}, uint64_t{10});
  rows.Add(Metric::kDeliveries, {"egress"}, uint64_t{30});
  uint64_t outcomes = 100;
  for (const char* outcome : {"accepted", "rejected", "released", "modified", "presettled"}) {
    rows.Add(Metric::kDeliveriesSettled, {outcome}, ++outcomes);
  }
  rows.Add(Metric::kDeliveriesDropped, {"overflow"}, uint64_t{8});
  rows.Add(Metric::kDeliveriesDropped, {"loss"}, uint64_t{9});
  rows.Add(Metric::kDeliveriesDelayed, {"1s"}, uint64_t{11});
  rows.Add(Metric::kDeliveriesDelayed, {"10s"}, uint64_t{12});
  rows.Add(Metric::kDeliveriesStuck, {}, uint64_t{13});
  rows.Add(Metric::kLinksBlocked, {}, uint64_t{14});
  rows.Add(Metric::kDeliveriesRedirected, {}, uint64_t{15});
  rows.Add(Metric::kProcessResident, {}, uint64_t{16});
  rows.Add(Metric::kProcessVirtual, {}, uint64_t{17});
  rows.Add(Metric::kMemoryPool, {"messages", "used"}, uint64_t{18});
  const std::map<std::string, double> wanted = {{"qdr_connections_total", 4},
                                                {"qdr_links_total", 12},
                                                {"qdr_addresses_total", 2},
                                                {"qdr_routers_total", 0},
                                                {"qdr_link_routes_total", 0},
                                                {"qdr_auto_links_total", 0},
                                                {"qdr_presettled_deliveries_total", 105},
                                                {"qdr_dropped_presettled_deliveries_total", 17},
                                                {"qdr_accepted_deliveries_total", 101},
                                                {"qdr_rejected_deliveries_total", 102},
                                                {"qdr_released_deliveries_total", 103},
                                                {"qdr_modified_deliveries_total", 104},
                                                {"qdr_deliveries_ingress_total", 10},
                                                {"qdr_deliveries_egress_total", 30},
                                                {"qdr_deliveries_transit_total", 0},
                                                {"qdr_deliveries_delayed_1sec_total", 11},
                                                {"qdr_deliveries_delayed_10sec_total", 12},
                                                {"qdr_deliveries_stuck_total", 13},
                                                {"qdr_links_blocked_total", 14},
                                                {"qdr_deliveries_redirected_to_fallback_total", 15},
                                                {"qdr_amqp_service_connections", 4},
                                                {"qdr_router_rss_bytes", 16},
                                                {"qdr_router_vmsize_bytes", 17},
                                                {"qdr_alloc_pool_bytes", 18}};
  EXPECT_EQ(Added(rows), wanted);
}

TEST(QdrNames, AreThereWithoutRows) {
  Families none;
  const std::map<std::string, double> values = Added(none);
  EXPECT_EQ(values.size(), kQdrNames.size());
  for (const auto& [name, value] : values) EXPECT_EQ(value, 0) << name;
}

}  // namespace
}  // namespace trunkline::metrics
