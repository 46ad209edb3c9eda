#include "router/amqp/session_handles.h"

#include <algorithm>

namespace trunkline::amqp {
namespace {

// Unused numbers that are worth an index, beyond as many again as are in use.
constexpr uint32_t kSlack = 4;

}  // namespace

void NumberMap::Set(uint32_t number, uint32_t value) {
  ++size_;
  if (number < dense_.size()) {
    if (dense_[number] != kNone) --size_;
    dense_[number] = value;
    return;
  }
  const auto at = std::lower_bound(far_.begin(), far_.end(), std::pair(number, 0u));
  if (at != far_.end() && at->first == number) {
    --size_;
    at->second = value;
    return;
  }
  if (number >= 2 * size_ + kSlack) {
    far_.insert(at, {number, value});
    return;
  }
  dense_.resize(number + 1, kNone);
  for (auto moved = far_.begin(); moved != at; ++moved) dense_[moved->first] = moved->second;
  far_.erase(far_.begin(), at);
  dense_[number] = value;
}

void NumberMap::Erase(uint32_t number) {
  if (number < dense_.size()) {
    if (dense_[number] != kNone) --size_;
    dense_[number] = kNone;
    while (!dense_.empty() && dense_.back() == kNone) dense_.pop_back();
    return;
  }
  const auto at = std::lower_bound(far_.begin(), far_.end(), std::pair(number, 0u));
  if (at == far_.end() || at->first != number) return;
  far_.erase(at);
  --size_;
}

uint32_t NumberMap::FindFar(uint32_t number) const {
  const auto at = std::lower_bound(far_.begin(), far_.end(), std::pair(number, 0u));
  return at != far_.end() && at->first == number ? at->second : kNone;
}

}  // namespace trunkline::amqp
