#pragma once

#include <string>
#include <string_view>

#include "control/legacy/qdrouterd_conf.h"

namespace trunkline::legacy {

// The text as q.conf, which leads to no other file.
absl::StatusOr<config::FileDocument> Parse(std::string_view text);

// What is wrong with it; empty: nothing.
std::string Errors(std::string_view text);

// "2:7 listener.port: …", each on a line. The text has to be good.
std::string Warnings(std::string_view text);

// The section with one more line, in a file that is good without it.
std::string With(const std::string& section, const std::string& line);

}  // namespace trunkline::legacy
