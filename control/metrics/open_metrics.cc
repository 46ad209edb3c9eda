#include "control/metrics/open_metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "control/http/header.h"

namespace trunkline::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view kTotal = "_total";
constexpr std::array<std::string_view, 3> kUnits = {"seconds", "bytes", "ratio"};

std::string_view TypeName(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Histogram:
      return "histogram";
    case MetricType::Summary:
      return "summary";
    case MetricType::Untyped:
      break;
  }
  return "unknown";
}

// The unit that the name ends in; empty: none.
std::string_view UnitOf(std::string_view name) {
  for (std::string_view unit : kUnits) {
    if (name.size() > unit.size() && name.ends_with(unit) &&
        name[name.size() - unit.size() - 1] == '_') {
      return unit;
    }
  }
  return {};
}

// Appends families to a text.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void Write(const MetricFamily& family);

 private:
  void WriteHead(const MetricFamily& family);
  void WriteSamples(MetricType type, const ClientMetric& metric);
  void WriteHistogram(const ClientMetric& metric);
  void WriteSummary(const ClientMetric& metric);
  // A line: the name with `suffix`, the labels of `metric` and one more, the value.
  void WriteSample(std::string_view suffix, const ClientMetric& metric, double value,
                   std::string_view more = {}, double more_value = 0);
  void WriteEscaped(std::string_view text);
  void WriteNumber(double value);
  // As a label: whole numbers have ".0", so that one number is always one text.
  void WriteBound(double value);

  std::string& out_;
  std::string_view name_;  // without "_total"
};

void Writer::Write(const MetricFamily& family) {
  name_ = family.name;
  if (family.type == MetricType::Counter && name_.ends_with(kTotal)) {
    name_.remove_suffix(kTotal.size());
  }
  WriteHead(family);
  for (const ClientMetric& metric : family.metric) WriteSamples(family.type, metric);
}

void Writer::WriteHead(const MetricFamily& family) {
  out_.append("# TYPE ").append(name_).append(" ").append(TypeName(family.type)).append("\n");
  if (const std::string_view unit = UnitOf(name_); !unit.empty()) {
    out_.append("# UNIT ").append(name_).append(" ").append(unit).append("\n");
  }
  out_.append("# HELP ").append(name_).append(" ");
  WriteEscaped(family.help);
  out_.append("\n");
}

void Writer::WriteSamples(MetricType type, const ClientMetric& metric) {
  switch (type) {
    case MetricType::Counter:
      return WriteSample(kTotal, metric, metric.counter.value);
    case MetricType::Gauge:
      return WriteSample("", metric, metric.gauge.value);
    case MetricType::Histogram:
      return WriteHistogram(metric);
    case MetricType::Summary:
      return WriteSummary(metric);
    case MetricType::Untyped:
      return WriteSample("", metric, metric.untyped.value);
  }
}

void Writer::WriteHistogram(const ClientMetric& metric) {
  const ClientMetric::Histogram& histogram = metric.histogram;
  bool has_last = false;
  for (const auto& bucket : histogram.bucket) {
    WriteSample("_bucket", metric, static_cast<double>(bucket.cumulative_count), "le",
                bucket.upper_bound);
    has_last = std::isinf(bucket.upper_bound);
  }
  const auto count = static_cast<double>(histogram.sample_count);
  if (!has_last) WriteSample("_bucket", metric, count, "le", INFINITY);
  WriteSample("_count", metric, count);
  WriteSample("_sum", metric, histogram.sample_sum);
}

void Writer::WriteSummary(const ClientMetric& metric) {
  for (const auto& quantile : metric.summary.quantile) {
    WriteSample("", metric, quantile.value, "quantile", quantile.quantile);
  }
  WriteSample("_count", metric, static_cast<double>(metric.summary.sample_count));
  WriteSample("_sum", metric, metric.summary.sample_sum);
}

void Writer::WriteSample(std::string_view suffix, const ClientMetric& metric, double value,
                         std::string_view more, double more_value) {
  out_.append(name_).append(suffix);
  char before = '{';
  for (const ClientMetric::Label& label : metric.label) {
    out_.append(1, before).append(label.name).append("=\"");
    WriteEscaped(label.value);
    out_.append("\"");
    before = ',';
  }
  if (!more.empty()) {
    out_.append(1, before).append(more).append("=\"");
    WriteBound(more_value);
    out_.append("\"");
    before = ',';
  }
  out_.append(before == ',' ? "} " : " ");
  WriteNumber(value);
  out_.append("\n");
}

void Writer::WriteEscaped(std::string_view text) {
  for (char c : text) {
    if (c == '\n') {
      out_.append("\\n");
    } else {
      if (c == '\\' || c == '"') out_.push_back('\\');
      out_.push_back(c);
    }
  }
}

void Writer::WriteNumber(double value) {
  if (std::isnan(value)) {
    out_.append("NaN");
  } else if (std::isinf(value)) {
    out_.append(value > 0 ? "+Inf" : "-Inf");
  } else {
    std::array<char, 32> text;
    constexpr double kExact = 9007199254740992;  // 2^53: whole numbers up to here are themselves
    const bool whole = std::trunc(value) == value && std::abs(value) <= kExact;
    const auto end =
        whole ? std::to_chars(text.data(), text.data() + text.size(), static_cast<int64_t>(value))
              : std::to_chars(text.data(), text.data() + text.size(), value);
    out_.append(text.data(), end.ptr);
  }
}

void Writer::WriteBound(double value) {
  if (std::isnan(value) || std::isinf(value)) return WriteNumber(value);
  const double size = std::abs(value);
  // As OpenMetrics wants it, so that a bound is the same text whoever writes it.
  const bool fixed = size == 0 || (size >= 1e-4 && size < 1e6);
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific);
  const std::string_view written(text.data(), static_cast<size_t>(end.ptr - text.data()));
  out_.append(written);
  if (written.find_first_of(".e") == std::string_view::npos) out_.append(".0");
}

// The quality that a header gives to this type: the most that any entry says; negative: none does.
double QualityOf(const std::vector<http::Choice>& choices, std::string_view type,
                 bool (*fits)(const http::Choice&)) {
  double best = -1;
  for (const http::Choice& choice : choices) {
    if (choice.name == type && fits(choice)) best = std::max(best, choice.quality);
  }
  return best;
}

constexpr auto kAnyVersion = [](const http::Choice&) { return true; };

}  // namespace

std::string WriteOpenMetrics(const std::vector<MetricFamily>& families) {
  std::string out;
  Writer writer(out);
  for (const MetricFamily& family : families) writer.Write(family);
  out.append("# EOF\n");
  return out;
}

bool WantsOpenMetrics(std::string_view accept) {
  const std::vector<http::Choice> choices = http::ParseChoices(accept);
  // Version 0.0.1 is a draft with the same syntax for what is written here, but its name is other.
  const double open = QualityOf(choices, "application/openmetrics-text", [](const auto& choice) {
    const auto version = choice.parameters.find("version");
    return version == choice.parameters.end() || version->second == "1.0.0";
  });
  if (open <= 0) return false;
  const double text = QualityOf(choices, "text/plain", kAnyVersion);
  return open >= text;
}

bool TakesText(std::string_view accept) {
  const std::vector<http::Choice> choices = http::ParseChoices(accept);
  if (choices.empty()) return true;
  // What is said of the type itself counts before what is said of its kind, and of all.
  for (const std::string_view type : {"text/plain", "text/*", "*/*"}) {
    const double quality = QualityOf(choices, type, kAnyVersion);
    if (quality >= 0) return quality > 0;
  }
  return false;
}

}  // namespace trunkline::metrics
