#pragma once

#include <cstdint>
#include <proton/value.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace trunkline::amqp {

// Raw bytes to and from values that are understood, by Proton's codec: open properties and small
// message bodies. The one door to Proton, never on the way of a forwarded message. Its exceptions
// end here, as InvalidArgument.

// What is larger is refused before Proton sees it. Proton itself holds 65,535 nodes: every item,
// element and descriptor is one.
inline constexpr size_t kValueBytesMax = 64 * 1024;
inline constexpr uint64_t kValueNodesMax = 32 * 1024;

absl::StatusOr<proton::value> DecodeValue(std::string_view raw);
absl::StatusOr<std::string> EncodeValue(const proton::value& value);

// A scalar as far as properties use them; symbols read as strings, small integers as the next
// larger type here.
using PlainValue = std::variant<bool, int32_t, uint32_t, int64_t, uint64_t, double, std::string>;
struct PlainEntry {
  std::string key;
  PlainValue value;

  bool operator==(const PlainEntry&) const = default;
};
using PlainMap = std::vector<PlainEntry>;

// The entries of a raw map, in its order; empty for no bytes. Keys are symbols or strings; entries
// with another key or a value that is no PlainValue are left out.
absl::StatusOr<PlainMap> DecodeMap(std::string_view raw);
// A raw map with symbols as keys.
absl::StatusOr<std::string> EncodeMap(const PlainMap& map);

}  // namespace trunkline::amqp
