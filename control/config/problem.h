#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::config {

// A place in a text file, as editors count: from 1. Line 0: nowhere in particular.
struct Position {
  int line = 0;
  int column = 0;
  auto operator<=>(const Position&) const = default;
};

// What is wrong with a configuration. `path` is the field: "listeners[amqp].port", "router.id";
// empty: the text as a whole.
struct Problem {
  Position at;
  std::string path;
  std::string text;  // lower case, no full stop
  // For programs: "PORT_IN_USE". Empty: it is in the text alone.
  std::string reason;
  // With a reason: whether the value itself is wrong, or the state of things.
  bool of_value = false;
  bool operator==(const Problem&) const = default;
};

// Where fields stand, by path.
using Positions = std::map<std::string, Position>;

// Gives each problem without a place the place of its field, or of the nearest field around it that
// has one.
void Locate(const Positions& positions, std::vector<Problem>& problems);

// One line per problem, in order of place: "FILE:LINE:COLUMN: PATH: TEXT". At most
// kProblemsShownMax; the rest is counted.
std::string FormatProblems(std::string_view file, std::vector<Problem> problems);

inline constexpr size_t kProblemsShownMax = 20;

// "; did you mean "port"?" if a candidate is close to `word`, else nothing.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace trunkline::config
