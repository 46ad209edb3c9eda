#include "control/config/problem.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/ascii.h"
#include "control/config/text.h"

namespace trunkline::config {
namespace {

// Longer words get no hint, so that the work stays small.
constexpr size_t kHintBytesMax = 64;

// Paths may hold any key of the file.
constexpr size_t kPathBytesShown = 200;

// How words look to people: initialHandshakeTimeout, initial-handshake-timeout and
// initial_handshake_timeout are one word.
std::string Fold(std::string_view word) {
  std::string folded;
  for (char c : word) {
    if (c != '_' && c != '-') folded.push_back(absl::ascii_tolower(c));
  }
  return folded;
}

// Fewest insertions, deletions and replacements that make `b` of `a`.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replace});
    }
  }
  return row[b.size()];
}

// "listeners[amqp].failover[1]" → "listeners[amqp].failover" → "listeners[amqp]" → "listeners".
std::string_view Around(std::string_view path) {
  const size_t cut = path.find_last_of(".[");
  return cut == std::string_view::npos ? std::string_view() : path.substr(0, cut);
}

}  // namespace

void Locate(const Positions& positions, std::vector<Problem>& problems) {
  for (Problem& problem : problems) {
    if (problem.at.line != 0) continue;
    for (std::string_view path = problem.path; !path.empty(); path = Around(path)) {
      auto found = positions.find(std::string(path));
      if (found == positions.end()) continue;
      problem.at = found->second;
      break;
    }
  }
}

std::string FormatProblems(std::string_view file, std::vector<Problem> problems) {
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) { return a.at < b.at; });
  std::string text;
  for (size_t i = 0; i < std::min(problems.size(), kProblemsShownMax); ++i) {
    const Problem& problem = problems[i];
    text += Concat(file, ":");
    if (problem.at.line != 0) text += Concat(problem.at.line, ":", problem.at.column, ":");
    if (!problem.path.empty()) text += Concat(" ", Shorten(problem.path, kPathBytesShown), ":");
    text += Concat(" ", problem.text, "\n");
  }
  if (problems.size() > kProblemsShownMax) {
    text += Concat(file, ": and ", problems.size() - kProblemsShownMax, " more\n");
  }
  return text;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > kHintBytesMax) return "";
  const std::string folded = Fold(word);
  size_t best = std::min<size_t>(3, folded.size() / 2 + 1);
  const std::string* hint = nullptr;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kHintBytesMax) continue;
    const size_t distance = EditDistance(folded, Fold(candidate));
    if (distance >= best) continue;
    best = distance;
    hint = &candidate;
  }
  return hint == nullptr ? "" : Concat("; did you mean \"", *hint, "\"?");
}

}  // namespace trunkline::config
