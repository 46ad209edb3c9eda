#include "control/metrics/qdr_names.h"

#include <string_view>
#include <utility>

namespace trunkline::metrics {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

// The sum of the rows that an alias is made of; 0 if there are none.
double SumOf(const QdrName& alias, const std::vector<MetricFamily>& families) {
  if (!alias.source) return 0;
  const std::string_view name = FamilyOf(*alias.source).name;
  double sum = 0;
  for (const MetricFamily& family : families) {
    if (family.name != name) continue;
    const bool counts = family.type == MetricType::Counter;
    for (const prometheus::ClientMetric& row : family.metric) {
      if (!alias.label.empty() && row.label.front().value != alias.label) continue;
      sum += counts ? row.counter.value : row.gauge.value;
    }
  }
  return sum;
}

}  // namespace

void AddQdrNames(std::vector<MetricFamily>& families) {
  std::vector<MetricFamily> aliases;
  aliases.reserve(kQdrNames.size());
  for (const QdrName& alias : kQdrNames) {
    MetricFamily& family = aliases.emplace_back();
    family.name = alias.name;
    family.help = alias.help;
    prometheus::ClientMetric& row = family.metric.emplace_back();
    if (alias.kind == Kind::kCounter) {
      family.type = MetricType::Counter;
      row.counter.value = SumOf(alias, families);
    } else {
      family.type = MetricType::Gauge;
      row.gauge.value = SumOf(alias, families);
    }
  }
  for (MetricFamily& family : aliases) families.push_back(std::move(family));
}

}  // namespace trunkline::metrics
