#include "control/config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/config/characters.h"
#include "control/config/text.h"

namespace trunkline::config {
namespace {

Position At(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

// What a node takes of the bounds, with all that is in it.
struct Size {
  size_t nodes = 0;
  size_t bytes = 0;
};

Size SizeOf(const YamlNode& node) {
  Size size{1, node.text.size()};
  for (const YamlNode& item : node.items) {
    const Size more = SizeOf(item);
    size.nodes += more.nodes;
    size.bytes += more.bytes;
  }
  return size;
}

size_t Depth(const YamlNode& node) {
  size_t deepest = 0;
  for (const YamlNode& item : node.items) deepest = std::max(deepest, Depth(item));
  return deepest + 1;
}

// Builds the tree from the parser's events. After the first problem it takes no more.
class TreeBuilder : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add({.kind = YamlNode::Kind::kNull, .at = At(mark)}, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { Close(); }

  const std::optional<Problem>& problem() const { return problem_; }
  YamlNode TakeRoot() { return std::move(root_); }

 private:
  struct Level {
    YamlNode node;
    YAML::anchor_t anchor;
  };

  void Open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor);
  void Close();
  // Counts the node, keeps it for aliases and places it.
  void Add(YamlNode node, YAML::anchor_t anchor);
  void Place(YamlNode node);
  void CheckTag(const YAML::Mark& mark, const std::string& tag);
  void CountAgainstBound(Size size, Position at);
  void Fail(Position at, std::string text) {
    if (!problem_) problem_ = Problem{at, "", std::move(text)};
  }

  std::vector<Level> open_;
  std::map<YAML::anchor_t, YamlNode> anchored_;
  Size size_;
  YamlNode root_;
  std::optional<Problem> problem_;
};

void TreeBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  if (problem_) return;
  auto found = anchored_.find(anchor);
  if (found == anchored_.end()) return Fail(At(mark), "an alias inside of its own anchor");
  if (open_.size() + Depth(found->second) > kYamlDepthMax) {
    return Fail(At(mark), absl::StrCat("nested deeper than ", kYamlDepthMax));
  }
  CountAgainstBound(SizeOf(found->second), At(mark));
  if (!problem_) Place(found->second);
}

void TreeBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& value) {
  CheckTag(mark, tag);
  if (std::any_of(value.begin(), value.end(), IsControl)) {
    Fail(At(mark), "text of several lines, or with a control character");
  }
  Add({.kind = YamlNode::Kind::kScalar, .at = At(mark), .text = value}, anchor);
}

void TreeBuilder::Open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
                       YAML::anchor_t anchor) {
  CheckTag(mark, tag);
  if (open_.size() >= kYamlDepthMax) {
    Fail(At(mark), absl::StrCat("nested deeper than ", kYamlDepthMax));
  }
  if (!problem_) open_.push_back({{.kind = kind, .at = At(mark)}, anchor});
}

void TreeBuilder::Close() {
  if (problem_ || open_.empty()) return;
  Level level = std::move(open_.back());
  open_.pop_back();
  Add(std::move(level.node), level.anchor);
}

void TreeBuilder::Add(YamlNode node, YAML::anchor_t anchor) {
  CountAgainstBound({1, node.text.size()}, node.at);
  if (problem_) return;
  if (anchor != 0) {
    CountAgainstBound(SizeOf(node), node.at);
    if (problem_) return;
    anchored_[anchor] = node;
  }
  Place(std::move(node));
}

void TreeBuilder::Place(YamlNode node) {
  if (open_.empty()) {
    root_ = std::move(node);
    return;
  }
  YamlNode& parent = open_.back().node;
  const bool is_key = parent.kind == YamlNode::Kind::kMap && parent.items.size() % 2 == 0;
  if (is_key && node.kind != YamlNode::Kind::kScalar) {
    return Fail(node.at, "a key must be plain text");
  }
  parent.items.push_back(std::move(node));
}

void TreeBuilder::CheckTag(const YAML::Mark& mark, const std::string& tag) {
  // "?" and "!" are what the parser tells for plain and for quoted values without a tag.
  if (!tag.empty() && tag != "?" && tag != "!") Fail(At(mark), "tags have no meaning here");
}

void TreeBuilder::CountAgainstBound(Size size, Position at) {
  size_.nodes += size.nodes;
  size_.bytes += size.bytes;
  if (size_.nodes > kYamlNodesMax) {
    Fail(at, absl::StrCat("more than ", kYamlNodesMax, " values, aliases included"));
  }
  if (size_.bytes > kYamlBytesMax) {
    Fail(at, absl::StrCat("more than ", kYamlBytesMax, " bytes, aliases included"));
  }
}

// The first of the lines up to `last` that a tab indents; 0 if there is none.
int LineIndentedByTab(std::string_view text, int last) {
  for (int line = 1; line <= last && !text.empty(); ++line) {
    const size_t indentation = std::min(text.find_first_not_of(" \t"), text.size());
    if (text.substr(0, indentation).find('\t') != std::string_view::npos) return line;
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return 0;
}

// What the parser says, in words of the file instead of its grammar.
std::string_view InOtherWords(std::string_view message) {
  namespace msg = YAML::ErrorMsg;
  if (message == msg::END_OF_MAP_FLOW) return "a \"{\" without its \"}\"";
  if (message == msg::END_OF_SEQ_FLOW) return "a \"[\" without its \"]\"";
  if (message == msg::END_OF_MAP || message == msg::END_OF_SEQ) {
    return "the indentation fits no line above";
  }
  if (message == msg::BLOCK_ENTRY) return "a \"-\" where no list can begin";
  if (message == msg::MAP_VALUE) {
    return "a \":\" where no key can be; text that holds one needs quotes";
  }
  return message;
}

Problem ProblemOf(const YAML::Exception& error, std::string_view text) {
  const Position at = At(error.mark);
  if (const int line = LineIndentedByTab(text, at.line); line > 0) {
    return {{line, 1}, "", "not YAML: indented with a tab; use spaces"};
  }
  return {at, "", Concat("not YAML: ", InOtherWords(error.msg))};
}

}  // namespace

std::variant<YamlNode, Problem> ParseYaml(std::string_view text) {
  if (auto problem = CheckCharacters(text)) return *std::move(problem);
  TreeBuilder builder;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    YamlNode root = builder.TakeRoot();
    if (builder.problem()) return *builder.problem();
    if (parser.HandleNextDocument(builder)) {
      return Problem{builder.TakeRoot().at, "", "a second document; one file holds one"};
    }
    return root;
  } catch (const YAML::Exception& error) {
    // What the builder refused stands further up than where the parser gave up.
    if (builder.problem()) return *builder.problem();
    return ProblemOf(error, text);
  } catch (const std::exception& error) {
    return Problem{{}, "", absl::StrCat("not YAML: ", error.what())};
  }
}

}  // namespace trunkline::config
