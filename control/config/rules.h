#pragma once

#include <string>
#include <vector>

#include "control/config/problem.h"
#include "google/protobuf/message.h"

namespace trunkline::config {

// Holds `message`, and the messages in it, against the rules in its field options: ranges, lengths,
// fields that must be there, enum values that exist. Pure.
void CheckRules(const google::protobuf::Message& message, const std::string& path,
                std::vector<Problem>& problems);

}  // namespace trunkline::config
