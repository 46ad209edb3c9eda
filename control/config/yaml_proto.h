#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/problem.h"
#include "control/config/yaml_tree.h"
#include "google/protobuf/message.h"

namespace trunkline::config {

// What reading YAML found: all problems, and where each field stands.
struct YamlReport {
  std::vector<Problem> problems;
  Positions positions;
};

// Calls `entry` for each key of the map `node`, with its value and its path. A key that is there
// twice, or a node that is no map, is a problem; a null node is an empty map.
void ForEachEntry(const YamlNode& node, const std::string& path, YamlReport& report,
                  const std::function<void(const YamlNode& key, const YamlNode& value,
                                           const std::string& path)>& entry);

// Fills `message` from the map `node` by the message's descriptor: keys are the names of its
// fields, durations are written "1m30s", enum values by their short names, references as bare ids.
// The key `beside`, if not empty, belongs to the caller and is passed over. `path` is the path of
// the node.
void ReadMessage(const YamlNode& node, const std::string& path, std::string_view beside,
                 google::protobuf::Message& message, YamlReport& report);

// "listeners", "port" → "listeners.port"; with an empty path the key alone.
std::string PathTo(const std::string& path, std::string_view key);

// `; did you mean "x"?`, or `; known are x, y, z`: the end of a text about an unknown word.
std::string HintFor(std::string_view word, const std::vector<std::string>& known,
                    const YamlReport& report);

}  // namespace trunkline::config
