#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "prometheus/metric_family.h"

namespace trunkline::metrics {

// The content type of what WriteOpenMetrics writes.
inline constexpr std::string_view kOpenMetricsType =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";
// And of the text format that prometheus::TextSerializer writes.
inline constexpr std::string_view kTextType = "text/plain; version=0.0.4; charset=utf-8";

// OpenMetrics 1.0, text: for each family its type, unit (as its name ends) and help, then its
// samples; "# EOF" at the end. The names of counters must end in "_total". Pure.
std::string WriteOpenMetrics(const std::vector<prometheus::MetricFamily>& families);

// Whether a client that sent this Accept header would rather have OpenMetrics 1.0 than the text
// format, which is for all others.
bool WantsOpenMetrics(std::string_view accept);
// Whether a client that sent this header can do with the text format; without one it can.
bool TakesText(std::string_view accept);

}  // namespace trunkline::metrics
