#include "control/cli/histogram.h"

#include <gtest/gtest.h>

namespace trunkline::cli {
namespace {

TEST(Histogram, IsExactForSmallValues) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.Add(value);
  EXPECT_EQ(histogram.count(), 100);
  EXPECT_EQ(histogram.min(), 1);
  EXPECT_EQ(histogram.max(), 100);
  EXPECT_DOUBLE_EQ(histogram.mean(), 50.5);
  EXPECT_EQ(histogram.Percentile(0.5), 50);
  EXPECT_EQ(histogram.Percentile(0.99), 99);
  EXPECT_EQ(histogram.Percentile(1), 100);
  EXPECT_EQ(histogram.Percentile(0), 1);
}

TEST(Histogram, IsOffByASixtyFourthAtMost) {
  for (uint64_t value = 1; value < UINT64_MAX / 3; value = value * 3 + 1) {
    Histogram histogram;
    histogram.Add(value);
    histogram.Add(UINT64_MAX);
    const uint64_t half = histogram.Percentile(0.5);
    EXPECT_GE(half, value);
    EXPECT_LE(half - value, value / 64);
    EXPECT_EQ(histogram.Percentile(1), UINT64_MAX);
  }
}

TEST(Histogram, OfNothingIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), 0);
  EXPECT_EQ(histogram.mean(), 0);
  EXPECT_EQ(histogram.Percentile(0.99), 0);
}

}  // namespace
}  // namespace trunkline::cli
