#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "router/base/random.h"

namespace trunkline::amqp {

inline std::string Bytes(std::initializer_list<int> bytes) {
  std::string text;
  for (int byte : bytes) text.push_back(static_cast<char>(byte));
  return text;
}

// Hands `bytes` to `parse` in memory of exactly their size, so that a sanitizer sees a read beyond.
template <typename Parse>
auto ParseExactly(std::string_view bytes, Parse parse) {
  const std::unique_ptr<char[]> copy(new char[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), copy.get());
  return parse(std::string_view(copy.get(), bytes.size()));
}

// Parses every proper prefix of `bytes`.
template <typename Parse>
void ForEachPrefix(std::string_view bytes, Parse parse) {
  for (size_t size = 0; size < bytes.size(); ++size) ParseExactly(bytes.substr(0, size), parse);
}

// Parses `rounds` variants of `bytes` with up to four bytes changed, some cut short.
template <typename Parse>
void ForEachMutation(std::string_view bytes, uint64_t seed, int rounds, Parse parse) {
  Random random(seed);
  for (int round = 0; round < rounds; ++round) {
    std::string mutant(bytes);
    const uint64_t changes = 1 + random.Below(4);
    for (uint64_t i = 0; i < changes; ++i) {
      mutant[random.Below(mutant.size())] = static_cast<char>(random.Next());
    }
    if (random.Below(4) == 0) mutant.resize(random.Below(mutant.size() + 1));
    ParseExactly(mutant, parse);
  }
}

// {"k": "v"} with a symbol as key.
inline std::string SmallMap() { return Bytes({0xc1, 7, 2, 0xa3, 1, 'k', 0xa1, 1, 'v'}); }

}  // namespace trunkline::amqp
