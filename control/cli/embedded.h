#pragma once

#include <string_view>

namespace trunkline::cli {

// Files that are built into trunkctl.

// The descriptors of our protos with their comments, as protoc writes them (a FileDescriptorSet).
std::string_view ManualBytes();
// Scripts that complete commands, with places to be filled in (completion.h).
std::string_view BashScript();
std::string_view ZshScript();

}  // namespace trunkline::cli
