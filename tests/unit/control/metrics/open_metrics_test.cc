#include "control/metrics/open_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace trunkline::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using ::testing::HasSubstr;
using ::testing::Not;

MetricFamily Gauge(const std::string& name, double value, std::vector<ClientMetric::Label> labels) {
  MetricFamily family{name, "What it is", MetricType::Gauge, {}};
  family.metric.emplace_back().gauge.value = value;
  family.metric.back().label = std::move(labels);
  return family;
}

std::string ValueOf(double value) {
  const std::string text = WriteOpenMetrics({Gauge("a", value, {})});
  const size_t start = text.find("\na ") + 3;
  return text.substr(start, text.find('\n', start) - start);
}

TEST(WriteOpenMetrics, EndsAsTheFormatWantsItEvenWithoutFamilies) {
  EXPECT_EQ(WriteOpenMetrics({}), "# EOF\n");
}

TEST(WriteOpenMetrics, NamesCountersWithoutTheirSuffixAndSamplesWithIt) {
  MetricFamily family{"x_seconds_total", "Time", MetricType::Counter, {}};
  family.metric.emplace_back().counter.value = 1.5;
  EXPECT_EQ(WriteOpenMetrics({family}),
            "# TYPE x_seconds counter\n"
            "# UNIT x_seconds seconds\n"
            "# HELP x_seconds Time\n"
            "x_seconds_total 1.5\n"
            "# EOF\n");
}

TEST(WriteOpenMetrics, WritesLabelsInTheirOrder) {
  EXPECT_EQ(WriteOpenMetrics({Gauge("links", 3, {{"direction", "in"}, {"role", ""}})}),
            "# TYPE links gauge\n"
            "# HELP links What it is\n"
            "links{direction=\"in\",role=\"\"} 3\n"
            "# EOF\n");
}

TEST(WriteOpenMetrics, EscapesWhatWouldEndATextOrALine) {
  MetricFamily family = Gauge("a", 1, {{"l", "x\\y\"z\nw"}});
  family.help = "one\ntwo \\ \"three\"";
  EXPECT_THAT(WriteOpenMetrics({family}), HasSubstr("a{l=\"x\\\\y\\\"z\\nw\"} 1\n"));
  EXPECT_THAT(WriteOpenMetrics({family}), HasSubstr("# HELP a one\\ntwo \\\\ \\\"three\\\"\n"));
}

TEST(WriteOpenMetrics, WritesWholeNumbersInFull) {
  EXPECT_EQ(ValueOf(0), "0");
  EXPECT_EQ(ValueOf(-7), "-7");
  EXPECT_EQ(ValueOf(123456789012345), "123456789012345");
  EXPECT_EQ(ValueOf(9007199254740992), "9007199254740992");
  EXPECT_EQ(ValueOf(0.1), "0.1");
  EXPECT_EQ(ValueOf(1e300), "1e+300");
  EXPECT_EQ(ValueOf(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(ValueOf(INFINITY), "+Inf");
  EXPECT_EQ(ValueOf(-INFINITY), "-Inf");
}

TEST(WriteOpenMetrics, WritesHistogramsWithCanonicalBounds) {
  MetricFamily family{"size_bytes", "Sizes", MetricType::Histogram, {}};
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = {{"direction", "in"}};
  metric.histogram = {.sample_count = 6, .sample_sum = 700.5, .bucket = {{1, 0.5}, {4, 64}}};
  EXPECT_EQ(WriteOpenMetrics({family}),
            "# TYPE size_bytes histogram\n"
            "# UNIT size_bytes bytes\n"
            "# HELP size_bytes Sizes\n"
            "size_bytes_bucket{direction=\"in\",le=\"0.5\"} 1\n"
            "size_bytes_bucket{direction=\"in\",le=\"64.0\"} 4\n"
            "size_bytes_bucket{direction=\"in\",le=\"+Inf\"} 6\n"
            "size_bytes_count{direction=\"in\"} 6\n"
            "size_bytes_sum{direction=\"in\"} 700.5\n"
            "# EOF\n");
  metric.histogram.bucket.push_back({6, INFINITY});
  EXPECT_EQ(WriteOpenMetrics({family}).find("+Inf"), WriteOpenMetrics({family}).rfind("+Inf"));
}

TEST(WriteOpenMetrics, WritesABoundAsOthersDo) {
  const struct {
    double bound;
    const char* text;
  } kBounds[] = {{0, "0.0"},
                 {1e-5, "1e-05"},
                 {1e-4, "0.0001"},
                 {5e-4, "0.0005"},
                 {0.25, "0.25"},
                 {1, "1.0"},
                 {999'999, "999999.0"},
                 {1e6, "1e+06"},
                 {1'048'576, "1.048576e+06"},
                 {1e10, "1e+10"}};
  for (const auto& [bound, text] : kBounds) {
    MetricFamily family{"a", "What it is", MetricType::Histogram, {}};
    family.metric.emplace_back().histogram = {
        .sample_count = 1, .sample_sum = 1, .bucket = {{1, bound}}};
    EXPECT_THAT(WriteOpenMetrics({family}),
                HasSubstr("a_bucket{le=\"" + std::string(text) + "\"} 1\n"));
  }
}

TEST(WriteOpenMetrics, TakesOnlyAWholeWordForAUnit) {
  for (const char* name : {"milliseconds", "seconds", "x_seconds_ago"}) {
    EXPECT_THAT(WriteOpenMetrics({Gauge(name, 1, {})}), Not(HasSubstr("# UNIT"))) << name;
  }
}

struct Accepting {
  const char* header;
  bool wants;
};

class WantsOpenMetricsTest : public ::testing::TestWithParam<Accepting> {};

TEST_P(WantsOpenMetricsTest, GoesByTheHeader) {
  EXPECT_EQ(WantsOpenMetrics(GetParam().header), GetParam().wants) << GetParam().header;
}

INSTANTIATE_TEST_SUITE_P(
    All, WantsOpenMetricsTest,
    ::testing::Values(
        Accepting{"", false}, Accepting{"*/*", false}, Accepting{"text/plain", false},
        Accepting{"application/openmetrics-text", true},
        // Prometheus 2.42 and 3.
        Accepting{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                  "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                  true},
        Accepting{"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                  "text/plain;version=1.0.0;q=0.5,*/*;q=0.2",
                  true},
        Accepting{"text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.5", false},
        Accepting{"application/openmetrics-text;version=0.0.1", false},
        Accepting{"application/openmetrics-text;version=2.0.0", false},
        Accepting{"application/openmetrics-text;q=0,text/plain", false}));

TEST(TakesText, GoesByTheHeader) {
  for (const char* header :
       {"", "*/*", "text/*", "text/plain", "application/openmetrics-text,*/*;q=0.1",
        "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}) {
    EXPECT_TRUE(TakesText(header)) << header;
  }
  for (const char* header : {"application/openmetrics-text", "text/plain;q=0,*/*", "text/*;q=0,*/*",
                             "*/*;q=0", "text/html"}) {
    EXPECT_FALSE(TakesText(header)) << header;
  }
}

}  // namespace
}  // namespace trunkline::metrics
