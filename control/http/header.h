#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::http {

// One of the things that a client takes, of Accept or Accept-Encoding: "text/plain;version=0.0.4;
// q=0.5". Names and parameters in lower case.
struct Choice {
  std::string name;
  std::map<std::string, std::string> parameters;  // without q
  double quality = 1;                             // 0: not at all
};

// In the order of the header. What cannot be read is left out; at most kChoicesMax are looked at.
std::vector<Choice> ParseChoices(std::string_view header);

inline constexpr size_t kChoicesMax = 32;

}  // namespace trunkline::http
