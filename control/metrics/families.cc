#include "control/metrics/families.h"

#include <limits>
#include <string>
#include <utility>

#include "router/base/check.h"

namespace trunkline::metrics {
namespace {

prometheus::MetricType TypeOf(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return prometheus::MetricType::Counter;
    case Kind::kHistogram:
      return prometheus::MetricType::Histogram;
    case Kind::kGauge:
      break;
  }
  return prometheus::MetricType::Gauge;
}

}  // namespace

prometheus::ClientMetric& Families::Row(Metric metric, Labels labels) {
  const Family& family = FamilyOf(metric);
  TL_DCHECK(labels.size() == family.label_count()) << std::string(family.name);
  prometheus::ClientMetric& row = rows_[static_cast<size_t>(metric)].emplace_back();
  row.label.reserve(labels.size());
  const std::string_view* name = family.labels.data();
  for (std::string_view value : labels) {
    row.label.push_back({std::string(*name++), std::string(value)});
  }
  return row;
}

void Families::Add(Metric metric, Labels labels, double value) {
  prometheus::ClientMetric& row = Row(metric, labels);
  if (FamilyOf(metric).kind == Kind::kCounter) {
    row.counter.value = value;
  } else {
    row.gauge.value = value;
  }
}

void Families::Add(Metric metric, Labels labels, const Spread& spread, double unit) {
  prometheus::ClientMetric::Histogram& histogram = Row(metric, labels).histogram;
  histogram.bucket.reserve(spread.counts.size());
  for (size_t i = 0; i < spread.counts.size(); ++i) {
    histogram.sample_count += spread.counts[i];
    const bool last = i == spread.bounds.size();
    const double bound = last ? std::numeric_limits<double>::infinity()
                              : static_cast<double>(spread.bounds[i]) * unit;
    histogram.bucket.push_back({histogram.sample_count, bound});
  }
  histogram.sample_sum = static_cast<double>(spread.sum) * unit;
}

std::vector<prometheus::MetricFamily> Families::Take() {
  std::vector<prometheus::MetricFamily> families;
  for (const Family& family : kFamilies) {
    std::vector<prometheus::ClientMetric>& rows = rows_[static_cast<size_t>(family.metric)];
    if (rows.empty()) continue;
    families.push_back({std::string(family.name), std::string(family.help), TypeOf(family.kind),
                        std::exchange(rows, {})});
  }
  return families;
}

}  // namespace trunkline::metrics
