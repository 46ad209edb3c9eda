#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "router/base/counter.h"

namespace trunkline {

// Upper bounds of the buckets of a Histogram, each inclusive; above the last there is one more
// bucket without a bound.
//
// REQUIRES: they ascend.
template <uint64_t... kUpTo>
struct Scale {
  static constexpr std::array<uint64_t, sizeof...(kUpTo)> kBounds = {kUpTo...};

  // A look into a table and few comparisons: as many as there are bounds in one power of two.
  static constexpr size_t BucketOf(uint64_t value) {
    size_t bucket = kFirst[Log2(value)];
    while (value > kEnds[bucket]) ++bucket;
    return bucket;
  }

 private:
  static constexpr std::array<uint64_t, sizeof...(kUpTo) + 1> kEnds = {kUpTo..., UINT64_MAX};

  static constexpr size_t Log2(uint64_t value) {
    return 63 - static_cast<size_t>(std::countl_zero(value | 1));
  }
  // By the logarithm of a value, the first bucket that it may be in.
  static constexpr std::array<uint8_t, 64> kFirst = [] {
    std::array<uint8_t, 64> first{};
    for (size_t bits = 0; bits < first.size(); ++bits) {
      const uint64_t smallest = bits == 0 ? 0 : uint64_t{1} << bits;
      while (smallest > kEnds[first[bits]]) ++first[bits];
    }
    return first;
  }();
};

// How values are spread over the fixed buckets of a Scale. One writer, the thread that owns the
// object around it; any thread may read. What is read while something is noted may lack that in
// the sum and have it in a bucket.
template <typename ScaleT>
class Histogram {
 public:
  static constexpr const auto& kBounds = ScaleT::kBounds;
  static constexpr size_t kBuckets = kBounds.size() + 1;

  void Note(uint64_t value, uint64_t times = 1) {
    counts_[ScaleT::BucketOf(value)].Add(times);
    sum_.Add(value * times);
  }

  // Values in one bucket alone, not in those below it.
  uint64_t In(size_t bucket) const { return counts_[bucket].Get(); }
  uint64_t Sum() const { return sum_.Get(); }
  uint64_t Count() const {
    uint64_t count = 0;
    for (const Counter& one : counts_) count += one.Get();
    return count;
  }

 private:
  std::array<Counter, kBuckets> counts_;
  Counter sum_;
};

}  // namespace trunkline
