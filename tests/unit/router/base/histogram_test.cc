#include "router/base/histogram.h"

#include <gtest/gtest.h>

namespace trunkline {
namespace {

using Coarse = Scale<10, 25, 50, 1000>;

TEST(Histogram, PutsABoundIntoItsBucketAndOneMoreIntoTheNext) {
  for (size_t i = 0; i < Coarse::kBounds.size(); ++i) {
    EXPECT_EQ(Coarse::BucketOf(Coarse::kBounds[i]), i);
    EXPECT_EQ(Coarse::BucketOf(Coarse::kBounds[i] + 1), i + 1);
  }
}

TEST(Histogram, HasABucketForEveryValue) {
  EXPECT_EQ(Coarse::BucketOf(0), 0u);
  EXPECT_EQ(Coarse::BucketOf(UINT64_MAX), Coarse::kBounds.size());
  using Wide = Scale<0, UINT64_MAX - 1>;
  EXPECT_EQ(Wide::BucketOf(0), 0u);
  EXPECT_EQ(Wide::BucketOf(1), 1u);
  EXPECT_EQ(Wide::BucketOf(UINT64_MAX - 1), 1u);
  EXPECT_EQ(Wide::BucketOf(UINT64_MAX), 2u);
}

TEST(Histogram, FindsTheSameBucketAsASearchFromTheFirst) {
  for (uint64_t value = 0; value < 3000; ++value) {
    size_t bucket = 0;
    while (bucket < Coarse::kBounds.size() && value > Coarse::kBounds[bucket]) ++bucket;
    EXPECT_EQ(Coarse::BucketOf(value), bucket) << value;
  }
}

TEST(Histogram, CountsAndAdds) {
  Histogram<Coarse> histogram;
  histogram.Note(7);
  histogram.Note(20, 3);
  histogram.Note(5000);
  EXPECT_EQ(histogram.In(0), 1u);
  EXPECT_EQ(histogram.In(1), 3u);
  EXPECT_EQ(histogram.In(2), 0u);
  EXPECT_EQ(histogram.In(4), 1u);
  EXPECT_EQ(histogram.Count(), 5u);
  EXPECT_EQ(histogram.Sum(), 7u + 60 + 5000);
}

}  // namespace
}  // namespace trunkline
