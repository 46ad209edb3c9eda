#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "router/snapshot.h"

namespace trunkline::net {

// Of what a peer says about itself, for whoever looks: more entries are left out, longer texts cut.
inline constexpr size_t kPropertiesMax = 64;
inline constexpr size_t kPropertyBytesMax = 256;

// The entries of a raw map whose keys are symbols or strings and whose values are texts, whole
// numbers or booleans ("true", "false"); others are left out. `cut`: so was something for want of
// room. Of bytes that are no map, what was understood.
std::vector<PeerProperty> ReadProperties(std::string_view raw, bool& cut);

// Some symbols, within the same bounds.
std::vector<std::string> Bounded(const std::vector<std::string>& symbols, bool& cut);

}  // namespace trunkline::net
