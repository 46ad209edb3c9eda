#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trunkline::fuzz {

// The bytes of one run, taken from the front: what a target decides by, and what it feeds to the
// code under test. At the end everything is zero or empty, so every input is a whole one.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : bytes_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return bytes_.empty(); }
  uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const uint8_t byte = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }
  // Up to `n` bytes.
  std::string_view Take(size_t n) {
    const std::string_view taken = bytes_.substr(0, n);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  // A length in one byte, then so many.
  std::string_view Text() { return Take(Byte()); }
  std::string_view Rest() { return Take(bytes_.size()); }

 private:
  std::string_view bytes_;
};

}  // namespace trunkline::fuzz
