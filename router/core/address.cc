#include "router/core/address.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "router/base/status.h"
#include "router/base/string_map.h"

namespace trunkline::core {
namespace {

constexpr std::string_view kArea = "0";  // the only area there is
constexpr std::string_view kAll = "all";
constexpr std::string_view kEdgeUplinkKey = "L_edge";

// Splits the part before the first '/' off `text`. `complete`: there was a '/'.
struct Segment {
  std::string_view text;
  bool complete = false;
};
Segment TakeSegment(std::string_view& text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {std::exchange(text, {}), false};
  const Segment segment{text.substr(0, slash), true};
  text.remove_prefix(slash + 1);
  return segment;
}

bool ConsumePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// The address itself: no scheme, no authority, no leading '/', without one trailing separator.
std::string_view Strip(std::string_view text) {
  if (!ConsumePrefix(text, "amqp:")) ConsumePrefix(text, "amqps:");
  if (ConsumePrefix(text, "//")) {
    TakeSegment(text);
  } else {
    ConsumePrefix(text, "/");
  }
  if (!text.empty() && (text.back() == '.' || text.back() == '/')) text.remove_suffix(1);
  return text;
}

void SetKey(char letter, std::string_view text, std::string& key) {
  key.assign(1, letter);
  key.append(text);
}

// `rest` is what follows "_topo/".
void MakeTopologicalKey(std::string_view rest, const LocalIdentity& me, std::string& key) {
  const Segment area = TakeSegment(rest);
  const bool here = area.complete && (area.text == kArea || area.text == kAll);
  if (here) {
    const Segment router = TakeSegment(rest);
    if (router.complete && router.text == kAll) return SetKey('T', rest, key);
    if (router.complete && router.text == me.router_id) return SetKey('L', rest, key);
    if (!me.edge) return SetKey('R', router.text, key);
  }
  if (!me.edge) return SetKey('A', area.text, key);
  key.assign(kEdgeUplinkKey);
}

// `rest` is what follows "_edge/".
void MakeEdgeKey(std::string_view rest, const LocalIdentity& me, std::string& key) {
  const Segment router = TakeSegment(rest);
  if (router.complete && router.text == me.router_id) return SetKey('L', rest, key);
  if (!me.edge) return SetKey('H', router.text, key);
  key.assign(kEdgeUplinkKey);
}

// --- patterns

constexpr std::string_view kAnyToken = "*";
constexpr std::string_view kAnyTokens = "#";

bool IsSeparator(char c) { return c == '.' || c == '/'; }

// Walks the tokens of a text. Separators at either end do not count; two in a row enclose an empty
// token.
class TokenWalk {
 public:
  explicit TokenWalk(std::string_view text) : rest_(text) {
    while (!rest_.empty() && IsSeparator(rest_.front())) rest_.remove_prefix(1);
    while (!rest_.empty() && IsSeparator(rest_.back())) rest_.remove_suffix(1);
  }
  bool done() const { return rest_.empty(); }
  // Identifies the place: fewer bytes remain further on.
  size_t remaining() const { return rest_.size(); }
  // REQUIRES: !done().
  std::string_view Next() {
    const auto end = std::find_if(rest_.begin(), rest_.end(), IsSeparator);
    const std::string_view token = rest_.substr(0, end - rest_.begin());
    rest_.remove_prefix(std::min(token.size() + 1, rest_.size()));
    return token;
  }

 private:
  std::string_view rest_;
};

}  // namespace

void MakeKeyInto(std::string_view text, char phase, const LocalIdentity& me, std::string& key) {
  text = Strip(text);
  if (!text.empty() && text.front() == '_') {
    std::string_view rest = text;
    if (ConsumePrefix(rest, "_local/")) return SetKey('L', rest, key);
    if (ConsumePrefix(rest, "_topo/")) return MakeTopologicalKey(rest, me, key);
    if (ConsumePrefix(rest, "_edge/")) return MakeEdgeKey(rest, me, key);
  }
  key.assign(1, 'M');
  key.push_back(phase);
  key.append(text);
}

AddressKey MakeKey(std::string_view text, char phase, const LocalIdentity& me) {
  AddressKey key;
  MakeKeyInto(text, phase, me, key);
  return key;
}

// Where '*' and '#' stand side by side their order says nothing: stars first, then a single '#'.
std::string NormalisePattern(std::string_view pattern) {
  std::string normal;
  const auto append = [&normal](std::string_view token) {
    if (!normal.empty()) normal.push_back('/');
    normal.append(token);
  };
  bool hash = false;  // belongs behind the stars that follow
  for (TokenWalk walk(pattern); !walk.done();) {
    const std::string_view token = walk.Next();
    if (token == kAnyTokens) {
      hash = true;
      continue;
    }
    if (token != kAnyToken && std::exchange(hash, false)) append(kAnyTokens);
    append(token);
  }
  if (hash) append(kAnyTokens);
  return normal;
}

// A tree of tokens; the way from the root to a node with a setting is that setting's pattern.
struct AddressSettings::Node {
  // Per Match: for every '#' that something follows, the place from which on it is known to fail.
  // No allocation as long as there are few of those.
  using Failures = absl::InlinedVector<size_t, 16>;

  StringMap<std::unique_ptr<Node>> literals;
  std::unique_ptr<Node> star;
  std::unique_ptr<Node> hash;
  std::unique_ptr<AddressSetting> setting;
  size_t failure_index = 0;  // of a '#' that something follows: into Failures

  Node* Child(std::string_view token);
  const AddressSetting* Match(TokenWalk walk, Failures& failures) const;
  const AddressSetting* MatchHash(TokenWalk walk, Failures& failures) const;
};

AddressSettings::Node* AddressSettings::Node::Child(std::string_view token) {
  std::unique_ptr<Node>& child = token == kAnyToken    ? star
                                 : token == kAnyTokens ? hash
                                                       : literals[token];
  if (child == nullptr) child = std::make_unique<Node>();
  return child.get();
}

// Depth is bounded by the longest pattern.
const AddressSetting* AddressSettings::Node::Match(TokenWalk walk, Failures& failures) const {
  if (walk.done()) {
    if (setting != nullptr) return setting.get();
    return hash != nullptr ? hash->setting.get() : nullptr;
  }
  TokenWalk next = walk;
  const std::string_view token = next.Next();
  if (const auto literal = literals.find(token); literal != literals.end()) {
    if (const AddressSetting* found = literal->second->Match(next, failures)) return found;
  }
  if (star != nullptr) {
    if (const AddressSetting* found = star->Match(next, failures)) return found;
  }
  return hash != nullptr ? hash->MatchHash(walk, failures) : nullptr;
}

// This node is a '#'. What follows it is tried at every place from `walk` on, but at each place
// once only, however many ways lead here: so several '#' in a pattern cost no more than their sum.
const AddressSetting* AddressSettings::Node::MatchHash(TokenWalk walk, Failures& failures) const {
  if (!literals.empty()) {
    const size_t failed_from = failures[failure_index];
    const size_t start = walk.remaining();
    for (TokenWalk place = walk; !place.done() && place.remaining() > failed_from; place.Next()) {
      TokenWalk next = place;
      const auto literal = literals.find(next.Next());
      if (literal == literals.end()) continue;
      if (const AddressSetting* found = literal->second->Match(next, failures)) return found;
    }
    failures[failure_index] = std::max(failed_from, start);
  }
  return setting.get();
}

AddressSettings::AddressSettings() = default;
AddressSettings::~AddressSettings() = default;

absl::StatusOr<std::shared_ptr<const AddressSettings>> AddressSettings::Build(
    std::vector<AddressSetting> settings, Treatment default_treatment) {
  std::shared_ptr<AddressSettings> built(new AddressSettings);
  built->default_.treatment = default_treatment;
  built->root_ = std::make_unique<Node>();
  for (AddressSetting& setting : settings) TL_RETURN_IF_ERROR(built->Add(std::move(setting)));
  return built;
}

absl::Status AddressSettings::Add(AddressSetting setting) {
  setting.pattern = NormalisePattern(setting.pattern);
  if (setting.pattern.empty()) return absl::InvalidArgumentError("pattern: must not be empty");
  Node* node = root_.get();
  size_t tokens = 0;
  bool behind_hash = false;
  for (TokenWalk walk(setting.pattern); !walk.done();) {
    if (++tokens > kPatternTokensMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("pattern: has more than ", kPatternTokensMax, " tokens"));
    }
    const std::string_view token = walk.Next();
    if (behind_hash && node->literals.empty()) node->failure_index = hashes_++;
    behind_hash = token == kAnyTokens;
    node = node->Child(token);
  }
  if (node->setting != nullptr) {
    return absl::AlreadyExistsError(
        absl::StrCat("pattern: '", setting.pattern, "' already exists"));
  }
  node->setting = std::make_unique<AddressSetting>(std::move(setting));
  return absl::OkStatus();
}

const AddressSetting& AddressSettings::Match(std::string_view text) const {
  Node::Failures failures(hashes_, 0);
  const AddressSetting* found = root_->Match(TokenWalk(text), failures);
  return found != nullptr ? *found : default_;
}

const AddressSetting* AddressSettings::ForKey(std::string_view key) const {
  if (key.size() < 2 || key[0] != 'M') return nullptr;
  const std::string_view text = key.substr(2);
  return text.starts_with(kTemporaryPrefix) ? nullptr : &Match(text);
}

}  // namespace trunkline::core
