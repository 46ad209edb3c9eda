#include "control/legacy/sections.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "control/config/characters.h"
#include "control/config/text.h"
#include "control/config/yaml_tree.h"

namespace trunkline::legacy {
namespace {

using config::Concat;
using config::Position;
using config::Problem;
using config::Quote;
using config::YamlNode;

// A text with more mistakes than that is something else; it is not read on.
constexpr size_t kProblemsMax = 200;

// More than any section has by far; each is compared with all of its section.
constexpr size_t kAttributesMax = 200;

// In the values of these "#" is data, and the value ends at the first blank.
constexpr std::array<std::string_view, 3> kHashIsData = {"pattern", "bindingKey", "hostname"};

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

bool IsWord(char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-'; }

void SkipBlanks(std::string_view& text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
}

std::string_view Trim(std::string_view text) {
  SkipBlanks(text);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes the word at the front of `text`, and the blanks behind it.
std::string_view TakeWord(std::string_view& text) {
  size_t n = 0;
  while (n < text.size() && IsWord(text[n])) ++n;
  const std::string_view word = text.substr(0, n);
  text.remove_prefix(n);
  SkipBlanks(text);
  return word;
}

std::string_view TakeLine(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// "ssl-profile", "ssl_profile" → "sslProfile".
std::string CamelCase(std::string_view name) {
  std::string camel;
  bool first_word = true;
  bool starts = false;
  for (char c : name) {
    if (c == '-' || c == '_' || c == '.' || c == ' ') {
      first_word = false;
      starts = true;
      continue;
    }
    if (first_word) {
      camel.push_back(c);
    } else {
      camel.push_back(starts ? absl::ascii_toupper(c) : absl::ascii_tolower(c));
    }
    starts = false;
  }
  return camel;
}

// Puts an attribute into its section; of one that is there twice the last counts.
void Add(Attribute attribute, Section& section, Report& report) {
  for (Attribute& other : section.attributes) {
    if (other.name != attribute.name) continue;
    report.warnings.push_back(
        {attribute.at, Concat(section.name, ".", attribute.name),
         Concat("is set twice, first on line ", other.at.line, "; this one counts")});
    other = std::move(attribute);
    return;
  }
  if (section.attributes.size() < kAttributesMax) {
    section.attributes.push_back(std::move(attribute));
    return;
  }
  report.problems.push_back(
      {attribute.at, section.name, Concat("has more than ", kAttributesMax, " attributes")});
}

// How deep the braces of a line lead, those in quotes left out.
int BracesIn(std::string_view line) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && quoted)
      ++i;
    else if (line[i] == '"')
      quoted = !quoted;
    else if (!quoted && (line[i] == '{' || line[i] == '}'))
      depth += line[i] == '{' ? 1 : -1;
  }
  return depth;
}

// A backslash stands for itself or a quote only if it is written twice, or before one.
std::optional<std::string> Unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') return std::nullopt;
    if (text[i] == '\\') {
      if (++i == text.size() || (text[i] != '\\' && text[i] != '"' && text[i] != '/')) {
        return std::nullopt;
      }
    }
    plain.push_back(text[i]);
  }
  return plain;
}

// Reads the form with braces, line by line. Short-lived; owns nothing.
class LineReader {
 public:
  explicit LineReader(Report& report) : report_(report) {}

  std::vector<Section> Read(std::string_view text);

 private:
  void ReadLine(std::string_view line);
  void ReadAttribute(std::string_view word, std::string_view rest);
  void OpenSection(std::string_view name);
  void CloseSection();
  void Finish();
  Position At(std::string_view part) const {
    return {number_, static_cast<int>(part.data() - line_.data()) + 1};
  }
  void Fail(std::string_view part, std::string text) {
    report_.problems.push_back({At(part), open_ ? open_->name : "", std::move(text)});
  }

  Report& report_;
  std::vector<Section> sections_;
  std::optional<Section> open_;
  int nested_ = 0;  // braces of an attribute that is a map
  std::string_view line_;
  int number_ = 0;
};

std::vector<Section> LineReader::Read(std::string_view text) {
  while (!text.empty() && report_.problems.size() < kProblemsMax) {
    line_ = TakeLine(text);
    ++number_;
    const std::string_view line = Trim(line_);
    if (!line.empty() && line.front() != '#') ReadLine(line);
  }
  Finish();
  return std::move(sections_);
}

void LineReader::ReadLine(std::string_view line) {
  if (nested_ > 0) {
    nested_ = std::max(0, nested_ + BracesIn(line));
    return;
  }
  std::string_view rest = line;
  const std::string_view word = TakeWord(rest);
  const bool hash_is_data =
      std::find(kHashIsData.begin(), kHashIsData.end(), word) != kHashIsData.end();
  if (hash_is_data && rest.starts_with(':')) {
    rest.remove_prefix(1);
    SkipBlanks(rest);
    return ReadAttribute(word, rest.substr(0, rest.find_first_of(" \t")));
  }
  rest = Trim(rest.substr(0, rest.find('#')));
  if (word.empty()) {
    if (rest == "}") return CloseSection();
    return Fail(line, line.front() == '"' ? "names and values are written without quotes"
                                          : "is not \"section {\", \"attribute: value\" or \"}\"");
  }
  if (rest == "{") return OpenSection(word);
  if (rest.starts_with(':')) return ReadAttribute(word, Trim(rest.substr(1)));
  Fail(line, rest.starts_with('{')
                 ? "a section has its { at the end of a line, and each attribute a line of its own"
                 : "is not \"section {\", \"attribute: value\" or \"}\"");
}

void LineReader::ReadAttribute(std::string_view word, std::string_view value) {
  if (!open_) return Fail(word, "an attribute stands in a section, behind \"section {\"");
  Attribute attribute{.name = CamelCase(word), .at = At(word), .value_at = At(value)};
  const std::string path = Concat(open_->name, ".", attribute.name);
  if (value.starts_with('{')) {
    nested_ = std::max(0, BracesIn(value));
    attribute.is_text = false;
  } else if (value.empty()) {
    report_.problems.push_back(
        {attribute.at, path, "has no value; leave the attribute out for the default"});
    return;
  } else if (std::optional<std::string> plain = Unescape(value)) {
    attribute.value = *std::move(plain);
  } else {
    report_.problems.push_back(
        {attribute.value_at, path, "holds a quote or a backslash, which have no place in a value"});
    return;
  }
  Add(std::move(attribute), *open_, report_);
}

void LineReader::OpenSection(std::string_view name) {
  if (open_) {
    Fail(name, Concat("a section begins, but the one of line ", open_->at.line,
                      " has not ended with a \"}\""));
    sections_.push_back(*std::move(open_));
  }
  open_ = Section{.name = CamelCase(name), .at = At(name)};
}

void LineReader::CloseSection() {
  if (!open_) return Fail(Trim(line_), "ends a section, but none is open");
  sections_.push_back(*std::move(open_));
  open_.reset();
}

void LineReader::Finish() {
  if (!open_ || report_.problems.size() >= kProblemsMax) return;
  report_.problems.push_back({open_->at, open_->name, "has no \"}\" at its end"});
}

// Reads the JSON form: a list of ["section", {attributes}]. JSON is YAML.
class JsonReader {
 public:
  explicit JsonReader(Report& report) : report_(report) {}

  std::vector<Section> Read(std::string_view text);

 private:
  void ReadSection(const YamlNode& node);
  void ReadAttribute(const YamlNode& key, const YamlNode& value, Section& section);

  Report& report_;
  std::vector<Section> sections_;
};

std::vector<Section> JsonReader::Read(std::string_view text) {
  std::variant<YamlNode, Problem> tree = config::ParseYaml(text);
  if (Problem* problem = std::get_if<Problem>(&tree)) {
    report_.problems.push_back(std::move(*problem));
    return {};
  }
  const YamlNode& root = std::get<YamlNode>(tree);
  for (const YamlNode& node : root.items) {
    if (report_.problems.size() < kProblemsMax) ReadSection(node);
  }
  return std::move(sections_);
}

void JsonReader::ReadSection(const YamlNode& node) {
  const bool is_pair = node.kind == YamlNode::Kind::kList && node.items.size() == 2 &&
                       node.items[0].kind == YamlNode::Kind::kScalar &&
                       node.items[1].kind == YamlNode::Kind::kMap;
  if (!is_pair) {
    report_.problems.push_back({node.at, "", "is not [\"section\", {\"attribute\": value, …}]"});
    return;
  }
  Section section{.name = CamelCase(node.items[0].text), .at = node.items[0].at};
  const std::vector<YamlNode>& items = node.items[1].items;
  for (size_t i = 0; i + 1 < items.size(); i += 2) ReadAttribute(items[i], items[i + 1], section);
  sections_.push_back(std::move(section));
}

void JsonReader::ReadAttribute(const YamlNode& key, const YamlNode& value, Section& section) {
  if (value.kind == YamlNode::Kind::kNull) return;  // as if it were not there
  Add({.name = CamelCase(key.text),
       .value = value.text,
       .is_text = value.kind == YamlNode::Kind::kScalar,
       .at = key.at,
       .value_at = value.at},
      section, report_);
}

// The first line that says something.
std::string_view FirstLine(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  while (!text.empty()) {
    const std::string_view line = Trim(TakeLine(text));
    if (!line.empty() && line.front() != '#') return line;
  }
  return {};
}

}  // namespace

const Attribute* Section::Find(std::string_view attribute) const {
  for (const Attribute& candidate : attributes) {
    if (candidate.name == attribute) return &candidate;
  }
  return nullptr;
}

bool IsLegacyText(std::string_view text) {
  std::string_view line = FirstLine(text);
  if (line.starts_with('[')) return true;
  return !TakeWord(line).empty() && line.starts_with('{');
}

std::vector<Section> ReadSections(std::string_view text, Report& report) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (std::optional<Problem> problem = config::CheckCharacters(text)) {
    report.problems.push_back(*std::move(problem));
    return {};
  }
  if (FirstLine(text).starts_with('[')) return JsonReader(report).Read(text);
  return LineReader(report).Read(text);
}

}  // namespace trunkline::legacy
