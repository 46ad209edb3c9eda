#include "tests/sim/network.h"

#include <algorithm>

namespace trunkline::sim {

void Pipe::Write(std::string_view bytes) {
  if (cut_) return;
  if (head_ > bytes_.size() / 2) {
    bytes_.erase(0, head_);
    head_ = 0;
  }
  bytes_.append(bytes);
}

std::string_view Pipe::Read(size_t max) {
  if (stalled_) return {};
  const std::string_view all = std::string_view(bytes_).substr(head_);
  const std::string_view some = all.substr(0, max);
  head_ += some.size();
  return some;
}

void Pipe::Cut(Random& random) {
  if (cut_) return;
  cut_ = true;
  ended_ = true;
  stalled_ = false;
  bytes_.resize(head_ + random.Below(size() + 1));
}

size_t SomeBytes(Random& random, size_t max) {
  if (max == 0) return 0;
  switch (random.Below(4)) {
    case 0:
      return 1 + random.Below(std::min<size_t>(max, 64));
    case 1:
      return 1 + random.Below(max);
    default:
      return max;
  }
}

}  // namespace trunkline::sim
