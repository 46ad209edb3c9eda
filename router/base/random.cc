#include "router/base/random.h"

namespace trunkline {

std::string Random::Name(int n) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+_";
  static_assert(sizeof(kAlphabet) == 64 + 1);
  std::string name;
  name.reserve(n);
  uint64_t bits = 0;  // six at a time, from the top: ten characters per number
  for (int i = 0; i < n; ++i) {
    if (i % 10 == 0) bits = Next();
    name.push_back(kAlphabet[bits >> 58]);
    bits <<= 6;
  }
  return name;
}

}  // namespace trunkline
