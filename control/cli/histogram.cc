#include "control/cli/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

namespace trunkline::cli {
namespace {

// Values below 2^kBits have a place of their own; of those above the highest kBits bits count, and
// the first of them is always set.
constexpr int kBits = 7;
constexpr uint64_t kHalf = uint64_t{1} << (kBits - 1);
constexpr size_t kPlaces = (64 - kBits + 2) * kHalf;

size_t PlaceOf(uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kBits);
  return static_cast<size_t>(shift) * kHalf + static_cast<size_t>(value >> shift);
}

// The largest value of a place.
uint64_t LargestOf(size_t place) {
  const uint64_t number = place;
  if (number < 2 * kHalf) return number;
  const uint64_t shift = number / kHalf - 1;
  const uint64_t head = number - shift * kHalf;
  return ((head + 1) << shift) - 1;
}

}  // namespace

Histogram::Histogram() : counts_(kPlaces) {}

void Histogram::Add(uint64_t value) {
  ++counts_[PlaceOf(value)];
  ++count_;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value);
}

double Histogram::mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

uint64_t Histogram::Percentile(double part) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(part * static_cast<double>(count_));
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, count_);
  uint64_t passed = 0;
  size_t place = 0;
  while ((passed += counts_[place]) < rank) ++place;
  return std::min(LargestOf(place), max_);
}

}  // namespace trunkline::cli
