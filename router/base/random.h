#pragma once

#include <cstdint>
#include <string>

namespace trunkline {

// Small seeded generator (splitmix64), passed in and never global: the same seed gives the same
// run. Not for secrets: who sees a whole number knows all that follow.
//
// Thread: its owner's.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0..bound-1. REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  // `n` characters of [A-Za-z0-9+_], as Dispatch uses in names it makes. Peers see them: six bits
  // of a number each, so that nobody guesses the next name by the last.
  std::string Name(int n);

 private:
  uint64_t state_;
};

}  // namespace trunkline
