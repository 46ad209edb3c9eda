#pragma once

#include <cstdint>
#include <vector>

namespace trunkline::cli {

// How often there were values, to a 64th of each. As large whatever is added.
class Histogram {
 public:
  Histogram();
  void Add(uint64_t value);

  uint64_t count() const { return count_; }
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  uint64_t max() const { return max_; }
  double mean() const;
  // Of `part` (0..1) of the values none is larger; never below by more than a 64th. 0: there are
  // none.
  uint64_t Percentile(double part) const;

 private:
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace trunkline::cli
