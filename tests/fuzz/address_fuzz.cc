// Addresses and the settings for them, against a reading of the rules that is slow and plain: which
// pattern speaks of an address, and which table entry a key finds.
//
// Input: patterns, each with its length in front, until one of no length; then the same of
// addresses.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "router/base/check.h"
#include "router/base/random.h"
#include "router/core/address.h"
#include "router/core/binding.h"
#include "router/core/route_table.h"
#include "tests/fuzz/input.h"

namespace trunkline::core {
namespace {

constexpr size_t kPatternsMax = 6;
constexpr size_t kAddressesMax = 6;
constexpr size_t kTokensMax = 24;  // the plain reading takes time exponential in it

using Tokens = std::vector<std::string>;

Tokens Split(std::string_view text) {
  const size_t first = text.find_first_not_of("./");
  if (first == std::string_view::npos) return {};
  text = text.substr(first, text.find_last_not_of("./") - first + 1);
  return absl::StrSplit(absl::string_view(text.data(), text.size()), absl::ByAnyChar("./"));
}

// By dynamic programming over the tokens of both.
bool Matches(const Tokens& pattern, const Tokens& text) {
  std::vector<bool> row(text.size() + 1, false);
  row[0] = true;
  for (const std::string& token : pattern) {
    std::vector<bool> next(text.size() + 1, false);
    for (size_t i = 0; i <= text.size(); ++i) {
      if (token == "#") {
        next[i] = row[i] || (i > 0 && next[i - 1]);
      } else if (i > 0) {
        next[i] = row[i - 1] && (token == "*" || token == text[i - 1]);
      }
    }
    row = std::move(next);
  }
  return row[text.size()];
}

// Literal before end before * before #.
int Rank(const Tokens& pattern, size_t at) {
  if (at == pattern.size()) return 1;
  return pattern[at] == "#" ? 3 : pattern[at] == "*" ? 2 : 0;
}

// Both match the same text. False where a '#' in common leaves open which place decides.
bool IsMoreSpecific(const Tokens& a, const Tokens& b) {
  for (size_t i = 0; i <= a.size() && i <= b.size(); ++i) {
    if (Rank(a, i) != Rank(b, i)) return Rank(a, i) < Rank(b, i);
    if (Rank(a, i) == 3) return false;
  }
  return false;
}

void CheckMatch(const AddressSettings& settings, const std::vector<Tokens>& patterns,
                std::string_view address) {
  const AddressSetting& found = settings.Match(address);
  const Tokens text = Split(address);
  if (text.size() > kTokensMax) return;
  const Tokens chosen = Split(found.pattern);
  TL_CHECK(chosen.empty() || Matches(chosen, text)) << found.pattern;
  for (const Tokens& pattern : patterns) {
    if (pattern == chosen || !Matches(pattern, text)) continue;
    TL_CHECK(!chosen.empty()) << "a pattern that matches was not found";
    TL_CHECK(!IsMoreSpecific(pattern, chosen)) << found.pattern;
  }
}

void CheckBinding(const AddressSettings& settings, std::string_view address) {
  const LocalIdentity me{.router_id = "R"};
  Random random(1);
  const BindingContext context{me, &settings, random};
  Binding binding;
  BindText(address, context, binding);
  TL_CHECK(!binding.key.empty());
  AttachRequest request;
  request.address = std::string(address);
  for (const bool dynamic : {false, true}) {
    request.dynamic = dynamic;
    request.fallback = address.size() % 2 == 0;
    if (address.size() % 3 == 0) request.waypoint_phase = 1 + static_cast<int>(address.size() % 9);
    for (const Binding& bound : {BindProducer(request, context), BindConsumer(request, context)}) {
      TL_CHECK(bound.refused || !bound.key.empty() || !dynamic);
      TL_CHECK(bound.refused || dynamic == bound.made.has_value());
    }
  }
}

std::shared_ptr<const Route> RouteFor(const AddressKey& key, uint32_t id) {
  auto route = std::make_shared<Route>();
  route->key = key;
  route->id = id;
  return route;
}

// A table against a map, with every key set, every second erased and the rest found again.
void CheckTable(const std::vector<AddressKey>& keys, uint64_t seed) {
  std::map<AddressKey, uint32_t> expected;
  RouteTable::Builder set{RouteTable(seed)};
  for (const AddressKey& key : keys) {
    const uint32_t id = static_cast<uint32_t>(expected.size() + 1);
    expected[key] = id;
    set.Set(RouteFor(key, id));
  }
  const RouteTable full = set.Finish();
  TL_CHECK(full.size() == expected.size());
  RouteTable::Builder erase(full);
  for (size_t i = 0; i < keys.size(); i += 2) {
    expected.erase(keys[i]);
    erase.Erase(keys[i]);
  }
  const RouteTable half = erase.Finish();
  TL_CHECK(half.size() == expected.size());
  size_t changed = 0;
  RouteTable::Diff(full, half, [&](const Route*, const Route*) { ++changed; });
  TL_CHECK(changed == full.size() - half.size());
  for (const AddressKey& key : keys) {
    const Route* found = half.Find(key);
    const auto wanted = expected.find(key);
    TL_CHECK((found != nullptr) == (wanted != expected.end()));
    TL_CHECK(found == nullptr || (found->key == key && found->id == wanted->second));
  }
}

void Play(fuzz::Input input) {
  std::vector<AddressSetting> settings;
  std::vector<Tokens> patterns;
  while (settings.size() < kPatternsMax) {
    const std::string_view text = input.Text();
    if (text.empty()) break;
    AddressSetting setting;
    setting.pattern = text;
    setting.fallback = text.size() % 2 == 0;
    setting.ingress_phase = static_cast<char>('0' + text.size() % 10);
    const std::string normal = NormalisePattern(text);
    TL_CHECK(NormalisePattern(normal) == normal);
    const Tokens tokens = Split(normal);
    if (tokens.empty() || tokens.size() > AddressSettings::kPatternTokensMax) continue;
    if (std::find(patterns.begin(), patterns.end(), tokens) != patterns.end()) continue;
    settings.push_back(std::move(setting));
    patterns.push_back(tokens);
  }
  const auto built = AddressSettings::Build(settings, Treatment::kClosest);
  TL_CHECK(built.ok()) << built.status();
  std::vector<AddressKey> keys;
  for (size_t i = 0; i < kAddressesMax && !input.empty(); ++i) {
    const std::string_view address = input.Text();
    CheckMatch(**built, patterns, address);
    CheckBinding(**built, address);
    const LocalIdentity me{.router_id = "R", .edge = i % 2 == 1};
    const AddressKey key = MakeKey(address, '0', me);
    TL_CHECK(!key.empty());
    (void)(*built)->ForKey(key);
    keys.push_back(key);
  }
  CheckTable(keys, keys.size());
}

}  // namespace
}  // namespace trunkline::core

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trunkline::core::Play(trunkline::fuzz::Input(data, size));
  return 0;
}
