#pragma once

#include <array>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "control/metrics/names.h"
#include "prometheus/metric_family.h"
#include "router/metrics.h"

namespace trunkline::metrics {

// Rows, put in by name in any order, taken out as prometheus-cpp has them.
class Families {
 public:
  // Values of labels, in the order of the table. REQUIRES: as many as there.
  using Labels = std::initializer_list<std::string_view>;

  void Add(Metric metric, Labels labels, double value);
  void Add(Metric metric, Labels labels, uint64_t value) {
    Add(metric, labels, static_cast<double>(value));
  }
  // `unit`: what one of the spread's is in the metric's unit: 1e-9 of nanoseconds.
  void Add(Metric metric, Labels labels, const Spread& spread, double unit);

  // In the order of the table; a family without rows is left out. Leaves nothing behind.
  std::vector<prometheus::MetricFamily> Take();

 private:
  prometheus::ClientMetric& Row(Metric metric, Labels labels);

  std::array<std::vector<prometheus::ClientMetric>, kMetrics> rows_;
};

}  // namespace trunkline::metrics
