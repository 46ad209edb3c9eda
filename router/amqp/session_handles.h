#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace trunkline::amqp {

// What the numbers that a peer chooses (handles, channels) stand for here. Numbers close to each
// other are found by index; a peer that scatters them pays with a search, and never makes us
// allocate more than a few bytes for each.
//
// Thread: its owner's.
class NumberMap {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // What `number` stands for, or kNone.
  uint32_t Find(uint32_t number) const {
    if (number < dense_.size()) return dense_[number];
    return far_.empty() ? kNone : FindFar(number);
  }
  void Set(uint32_t number, uint32_t value);
  void Erase(uint32_t number);

 private:
  uint32_t FindFar(uint32_t number) const;

  std::vector<uint32_t> dense_;                     // by number; kNone where there is nothing
  std::vector<std::pair<uint32_t, uint32_t>> far_;  // numbers beyond it, in order
  uint32_t size_ = 0;
};

}  // namespace trunkline::amqp
