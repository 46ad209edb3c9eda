#include "router/base/random.h"

namespace trunkline {

std::string Random::Name(int n) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+_";
  static_assert(sizeof(kAlphabet) == 64 + 1);
  std::string name;
  name.reserve(n);
  // A number can be turned back into the state behind it: little of each is shown.
  for (int i = 0; i < n; ++i) name.push_back(kAlphabet[Next() >> 58]);
  return name;
}

}  // namespace trunkline
