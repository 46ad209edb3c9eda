#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace trunkline {

// Hashes every kind of text alike, so that a map of strings is searched by std::string_view without
// making a string. (Debian's absl has a string_view of its own, which std's does not convert to.)
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const {
    return absl::Hash<absl::string_view>()(absl::string_view(text.data(), text.size()));
  }
};

// Text → T. The order of iteration differs from run to run: nothing that must be reproducible may
// depend on it.
template <typename T>
using StringMap = absl::flat_hash_map<std::string, T, StringHash, std::equal_to<>>;

}  // namespace trunkline
