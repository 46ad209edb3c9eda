#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "control/config/problem.h"

namespace trunkline::config {

// A YAML document as plain values, with places. The only door to yaml-cpp: bounds are checked while
// it is built, and its exceptions end here.
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  Position at;
  std::string text;             // of a scalar
  std::vector<YamlNode> items;  // of a list; of a map: key, value, key, value, …; keys are scalars
};

// Nodes and bytes of text of a document, counting what aliases stand for each time; so a small file
// cannot become a large one. And how deep lists and maps may be nested.
inline constexpr size_t kYamlNodesMax = 200'000;
inline constexpr size_t kYamlBytesMax = 4 << 20;
inline constexpr size_t kYamlDepthMax = 32;

// The one document of `text`; an empty text is a null node. A problem if it is not YAML, not UTF-8,
// holds control characters, tags or a second document, or is above the bounds.
std::variant<YamlNode, Problem> ParseYaml(std::string_view text);

}  // namespace trunkline::config
