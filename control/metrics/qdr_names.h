#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "control/metrics/names.h"
#include "prometheus/metric_family.h"

namespace trunkline::metrics {

// A name that those who come from Qpid Dispatch 1.x or skupper-router have in dashboards and
// alerts. It has no labels, and is the sum of rows of a metric of ours.
struct QdrName {
  std::string_view name;
  Kind kind;
  std::string_view help;
  std::optional<Metric> source;  // nullopt: always 0, as this router has no such thing
  std::string_view label;  // of the rows that have this value of their first label; empty: all
};

// All of those that the router has a truth for. Types are the old ones, so gauges end in "_total"
// as well, which OpenMetrics forbids.
inline constexpr std::array<QdrName, 24> kQdrNames = {{
    {"qdr_connections_total", Kind::kGauge, "Open AMQP connections", Metric::kConnections, ""},
    {"qdr_links_total", Kind::kGauge, "Attached links", Metric::kLinks, ""},
    {"qdr_addresses_total", Kind::kGauge, "Addresses that have consumers", Metric::kAddresses, ""},
    {"qdr_routers_total", Kind::kGauge, "Other routers of the network", std::nullopt, ""},
    {"qdr_link_routes_total", Kind::kGauge, "Link routes", std::nullopt, ""},
    {"qdr_auto_links_total", Kind::kGauge, "Auto links", std::nullopt, ""},
    {"qdr_presettled_deliveries_total", Kind::kCounter, "Deliveries that producers sent settled",
     Metric::kDeliveriesSettled, "presettled"},
    {"qdr_dropped_presettled_deliveries_total", Kind::kCounter,
     "Copies of pre-settled deliveries that no consumer got", Metric::kDeliveriesDropped, ""},
    {"qdr_accepted_deliveries_total", Kind::kCounter, "Deliveries that were accepted",
     Metric::kDeliveriesSettled, "accepted"},
    {"qdr_released_deliveries_total", Kind::kCounter, "Deliveries that were released",
     Metric::kDeliveriesSettled, "released"},
    {"qdr_rejected_deliveries_total", Kind::kCounter, "Deliveries that were rejected",
     Metric::kDeliveriesSettled, "rejected"},
    {"qdr_modified_deliveries_total", Kind::kCounter, "Deliveries that were modified",
     Metric::kDeliveriesSettled, "modified"},
    {"qdr_deliveries_ingress_total", Kind::kCounter, "Deliveries begun by producers",
     Metric::kDeliveries, "ingress"},
    {"qdr_deliveries_egress_total", Kind::kCounter,
     "Deliveries begun towards consumers, one for each copy", Metric::kDeliveries, "egress"},
    {"qdr_deliveries_transit_total", Kind::kCounter, "Deliveries passed on to other routers",
     std::nullopt, ""},
    {"qdr_deliveries_delayed_1sec_total", Kind::kCounter,
     "Deliveries that took longer than 1 s, and not than 10 s", Metric::kDeliveriesDelayed, "1s"},
    {"qdr_deliveries_delayed_10sec_total", Kind::kCounter, "Deliveries that took longer than 10 s",
     Metric::kDeliveriesDelayed, "10s"},
    {"qdr_deliveries_stuck_total", Kind::kGauge, "Deliveries that are older than 10 s",
     Metric::kDeliveriesStuck, ""},
    {"qdr_links_blocked_total", Kind::kGauge, "Links without credit for 10 s",
     Metric::kLinksBlocked, ""},
    {"qdr_deliveries_redirected_to_fallback_total", Kind::kCounter,
     "Deliveries that went to a fallback address", Metric::kDeliveriesRedirected, ""},
    {"qdr_amqp_service_connections", Kind::kGauge, "Open AMQP connections", Metric::kConnections,
     ""},
    {"qdr_router_rss_bytes", Kind::kGauge, "Memory of the process that is in RAM",
     Metric::kProcessResident, ""},
    {"qdr_router_vmsize_bytes", Kind::kGauge, "Virtual memory of the process",
     Metric::kProcessVirtual, ""},
    {"qdr_alloc_pool_bytes", Kind::kGauge, "Memory that holds messages, in whole blocks",
     Metric::kMemoryPool, ""},
}};

// Adds these to the others, whose rows they are sums of: both say the same in one scrape.
void AddQdrNames(std::vector<prometheus::MetricFamily>& families);

}  // namespace trunkline::metrics
