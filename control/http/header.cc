#include "control/http/header.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace trunkline::http {
namespace {

// Up to the next `separator`, which is taken off as well.
std::string_view TakePart(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

std::string Trimmed(std::string_view text) {
  const absl::string_view trimmed =
      absl::StripAsciiWhitespace(absl::string_view(text.data(), text.size()));
  return absl::AsciiStrToLower(trimmed);
}

void ReadParameter(std::string_view text, Choice& choice) {
  const std::string key = Trimmed(TakePart(text, '='));
  std::string value = Trimmed(text);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  if (key != "q") {
    if (!key.empty()) choice.parameters[key] = std::move(value);
    return;
  }
  // What is no number between 0 and 1 is taken for a no: better the default than a wrong answer.
  double quality = 0;
  const bool good = absl::SimpleAtod(value, &quality) && quality >= 0 && quality <= 1;
  choice.quality = good ? quality : 0;
}

}  // namespace

std::vector<Choice> ParseChoices(std::string_view header) {
  std::vector<Choice> choices;
  while (!header.empty() && choices.size() < kChoicesMax) {
    std::string_view entry = TakePart(header, ',');
    Choice choice;
    choice.name = Trimmed(TakePart(entry, ';'));
    while (!entry.empty()) ReadParameter(TakePart(entry, ';'), choice);
    if (!choice.name.empty()) choices.push_back(std::move(choice));
  }
  return choices;
}

}  // namespace trunkline::http
