#include "control/api/filter.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "control/api/field_path.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "google/protobuf/descriptor.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using config::Concat;
using config::Quote;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

enum class Operator { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kHas };

// Longer ones first, so that "<=" is not taken for "<".
constexpr std::array<std::pair<std::string_view, Operator>, 7> kOperators = {{
    {"!=", Operator::kNotEqual},
    {"<=", Operator::kLessEqual},
    {">=", Operator::kGreaterEqual},
    {"=", Operator::kEqual},
    {"<", Operator::kLess},
    {">", Operator::kGreater},
    {":", Operator::kHas},
}};

bool IsPathByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '/' ||
         c == '-';
}

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool EndsWord(char c) { return IsBlank(c) || c == '(' || c == ')' || c == '"' || c == '\''; }

// `path` `op` `value`.
struct Comparison {
  FieldPath path;
  Operator op = Operator::kEqual;
  Value value;
  bool any = false;  // `:*`, whatever the value is

  bool Holds(const Message& message) const;
};

bool Comparison::Holds(const Message& message) const {
  if (any) return path.IsSet(message);
  if (path.IsList()) return path.Holds(message, std::get<std::string>(value));
  const Value found = path.Read(message);
  if (found.index() == 0) return op == Operator::kNotEqual;
  switch (op) {
    case Operator::kEqual:
      return found == value;
    case Operator::kNotEqual:
      return found != value;
    case Operator::kLess:
      return found < value;
    case Operator::kLessEqual:
      return found <= value;
    case Operator::kGreater:
      return found > value;
    case Operator::kGreaterEqual:
      return found >= value;
    case Operator::kHas:
      break;
  }
  const std::string* text = std::get_if<std::string>(&found);
  if (text == nullptr) return found == value;
  return text->find(std::get<std::string>(value)) != std::string::npos;
}

}  // namespace

// A part of the filter: a comparison, or parts that are joined. NOT has one part.
struct Filter::Node {
  enum class Kind { kComparison, kAnd, kOr, kNot };
  Kind kind = Kind::kComparison;
  std::optional<Comparison> comparison;
  std::vector<Node> parts;

  bool Matches(const Message& message) const {
    switch (kind) {
      case Kind::kComparison:
        return comparison->Holds(message);
      case Kind::kNot:
        return !parts.front().Matches(message);
      case Kind::kAnd:
      case Kind::kOr:
        break;
    }
    const bool ends_at = kind == Kind::kOr;
    for (const Node& part : parts) {
      if (part.Matches(message) == ends_at) return ends_at;
    }
    return !ends_at;
  }

  bool Reads(std::string_view field) const {
    if (comparison) return comparison->path.top().name() == field;
    for (const Node& part : parts) {
      if (part.Reads(field)) return true;
    }
    return false;
  }
};

// Reads one filter, from left to right. What is wrong first is told.
class Filter::Parser {
 public:
  Parser(std::string_view text, const google::protobuf::Descriptor& type)
      : text_(text), type_(type) {}

  absl::StatusOr<Node> Run() {
    TL_ASSIGN_OR_RETURN(Node node, ParseFilter(0));
    SkipBlanks();
    if (at_ < text_.size()) return Fail(at_, Concat("expected AND or OR, not ", Shown()));
    return node;
  }

 private:
  absl::StatusOr<Node> ParseFilter(int depth);
  absl::StatusOr<Node> ParseTerm(int depth);
  absl::StatusOr<Node> ParseComparison();
  absl::Status CheckOperator(const Comparison& comparison, size_t at);
  absl::Status ParseOperand(Comparison& comparison);
  absl::StatusOr<std::string> ReadQuoted();

  void SkipBlanks() {
    while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
  }
  bool Take(char c) {
    SkipBlanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // Takes `word` if it stands here, and not as the beginning of a longer one.
  bool TakeWord(std::string_view word) {
    SkipBlanks();
    const std::string_view rest = text_.substr(at_);
    if (!rest.starts_with(word)) return false;
    if (rest.size() > word.size() && !EndsWord(rest[word.size()])) return false;
    at_ += word.size();
    return true;
  }
  // What stands here, for messages.
  std::string Shown() const {
    if (at_ >= text_.size()) return "the end";
    size_t end = at_ + 1;
    while (end < text_.size() && !EndsWord(text_[end])) ++end;
    return Quote(text_.substr(at_, end - at_));
  }
  absl::Status Fail(size_t at, std::string_view why) const {
    const std::string text = Concat("at ", at + 1, ": ", why);
    absl::Status status = absl::InvalidArgumentError(Concat("filter: ", text));
    status = config::WithViolations(std::move(status), {{"filter", text}});
    return config::WithReason(std::move(status), "INVALID_FILTER");
  }

  const std::string_view text_;
  const google::protobuf::Descriptor& type_;
  size_t at_ = 0;
  int comparisons_ = 0;
};

absl::StatusOr<Filter::Node> Filter::Parser::ParseFilter(int depth) {
  if (depth > kFilterDepthMax) {
    return Fail(at_, Concat("more than ", kFilterDepthMax, " levels of parentheses and NOT"));
  }
  TL_ASSIGN_OR_RETURN(Node first, ParseTerm(depth));
  Node joined;
  joined.parts.push_back(std::move(first));
  for (;;) {
    SkipBlanks();
    const size_t at = at_;
    Node::Kind kind = Node::Kind::kAnd;
    if (TakeWord("OR")) {
      kind = Node::Kind::kOr;
    } else if (!TakeWord("AND")) {
      break;
    }
    if (joined.parts.size() > 1 && joined.kind != kind) {
      return Fail(at, "AND and OR are mixed: put one of them into parentheses");
    }
    joined.kind = kind;
    TL_ASSIGN_OR_RETURN(Node next, ParseTerm(depth));
    joined.parts.push_back(std::move(next));
  }
  if (joined.parts.size() > 1) return joined;
  Node alone = std::move(joined.parts.front());
  return alone;
}

absl::StatusOr<Filter::Node> Filter::Parser::ParseTerm(int depth) {
  if (TakeWord("NOT")) {
    if (depth >= kFilterDepthMax) {
      return Fail(at_, Concat("more than ", kFilterDepthMax, " levels of parentheses and NOT"));
    }
    TL_ASSIGN_OR_RETURN(Node part, ParseTerm(depth + 1));
    Node node;
    node.kind = Node::Kind::kNot;
    node.parts.push_back(std::move(part));
    return node;
  }
  if (!Take('(')) return ParseComparison();
  TL_ASSIGN_OR_RETURN(Node node, ParseFilter(depth + 1));
  if (!Take(')')) return Fail(at_, Concat("expected \")\", not ", Shown()));
  return node;
}

absl::StatusOr<Filter::Node> Filter::Parser::ParseComparison() {
  SkipBlanks();
  const size_t begin = at_;
  while (at_ < text_.size() && IsPathByte(text_[at_])) ++at_;
  if (at_ == begin) return Fail(at_, Concat("expected a field, not ", Shown()));
  if (++comparisons_ > kFilterComparisonsMax) {
    return Fail(begin, Concat("more than ", kFilterComparisonsMax, " comparisons"));
  }
  auto path = FieldPath::Parse(text_.substr(begin, at_ - begin), type_);
  if (!path.ok()) return Fail(begin, config::View(path.status().message()));
  Node node;
  node.comparison = Comparison{*std::move(path)};
  SkipBlanks();
  const size_t at = at_;
  for (const auto& [word, op] : kOperators) {
    if (!text_.substr(at_).starts_with(word)) continue;
    at_ += word.size();
    node.comparison->op = op;
    break;
  }
  if (at_ == at) {
    return Fail(at, Concat("expected one of = != < <= > >= : behind the field, not ", Shown()));
  }
  TL_RETURN_IF_ERROR(ParseOperand(*node.comparison));
  TL_RETURN_IF_ERROR(CheckOperator(*node.comparison, at));
  return node;
}

// The value behind the operator, read by the type of the field.
absl::Status Filter::Parser::ParseOperand(Comparison& comparison) {
  SkipBlanks();
  const size_t begin = at_;
  std::string word;
  if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) {
    TL_ASSIGN_OR_RETURN(word, ReadQuoted());
  } else {
    while (at_ < text_.size() && !EndsWord(text_[at_])) ++at_;
    word = std::string(text_.substr(begin, at_ - begin));
    if (word.empty()) return Fail(at_, Concat("expected a value, not ", Shown()));
    comparison.any = word == "*" && comparison.op == Operator::kHas;
  }
  const FieldPath& path = comparison.path;
  if (comparison.any || path.IsList()) {
    comparison.value = std::move(word);
    return absl::OkStatus();
  }
  if (!path.IsScalar()) {
    const std::string_view how = path.leaf().is_repeated() ? "as a whole" : "but by its fields";
    return Fail(begin, Concat(Quote(path.text()), " cannot be compared ", how,
                              "; whether it is set: ", path.text(), ":*"));
  }
  const FieldDescriptor& field =
      path.is_entry() ? *path.leaf().message_type()->map_value() : path.leaf();
  auto value = ParseValue(field, word);
  if (!value) {
    return Fail(begin, Concat(Quote(word), " is not ", ValuesOf(field), ", as ", Quote(path.text()),
                              " has it"));
  }
  comparison.value = *std::move(value);
  return absl::OkStatus();
}

absl::Status Filter::Parser::CheckOperator(const Comparison& comparison, size_t at) {
  const FieldPath& path = comparison.path;
  const bool equals = comparison.op == Operator::kEqual || comparison.op == Operator::kNotEqual;
  if (comparison.op == Operator::kHas) return absl::OkStatus();
  if (path.IsList()) {
    return Fail(at, Concat(Quote(path.text()), " has several values: use \":\""));
  }
  const FieldDescriptor::CppType type = path.leaf().cpp_type();
  if (!equals && !path.is_entry() &&
      (type == FieldDescriptor::CPPTYPE_ENUM || type == FieldDescriptor::CPPTYPE_BOOL)) {
    return Fail(at, Concat("values of ", Quote(path.text()), " have no order: use = or !="));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Filter::Parser::ReadQuoted() {
  const size_t begin = at_;
  const char quote = text_[at_++];
  std::string text;
  while (at_ < text_.size() && text_[at_] != quote) {
    if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
    text.push_back(text_[at_++]);
  }
  if (at_ >= text_.size()) return Fail(begin, "the quoted text does not end");
  ++at_;
  return text;
}

Filter::Filter() = default;
Filter::~Filter() = default;
Filter::Filter(const Filter&) = default;
Filter& Filter::operator=(const Filter&) = default;

absl::StatusOr<Filter> Filter::Parse(std::string_view text,
                                     const google::protobuf::Descriptor& type) {
  Filter filter;
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return filter;
  if (text.size() > kFilterBytesMax) {
    const std::string why = Concat(text.size(), " bytes are more than ", kFilterBytesMax);
    absl::Status status = absl::InvalidArgumentError(Concat("filter: ", why));
    status = config::WithViolations(std::move(status), {{"filter", why}});
    return config::WithReason(std::move(status), "INVALID_FILTER");
  }
  TL_ASSIGN_OR_RETURN(Node root, Parser(text, type).Run());
  filter.root_ = std::make_shared<const Node>(std::move(root));
  return filter;
}

bool Filter::Matches(const Message& message) const {
  return root_ == nullptr || root_->Matches(message);
}

bool Filter::Reads(std::string_view top_field) const {
  return root_ != nullptr && root_->Reads(top_field);
}

}  // namespace trunkline::api
