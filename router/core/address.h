#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "router/core/ids.h"

namespace trunkline::core {

// Normal form of an address, as Dispatch keys it (spec interrouter section 2.2): class letter,
// phase for mobile addresses, text: "M0orders", "Ltemp.abc", "T…", "R<router>".
using AddressKey = std::string;

// Who "me" is when `_topo/<area>/<me>/…` is read.
struct LocalIdentity {
  std::string router_id;
  bool edge = false;
};

// Drops scheme ("amqp:", "amqps:"), authority, leading '/', one trailing '.' or '/'; then
// classifies. `phase` ('0'..'9' or 'F') is used for mobile addresses only. Never fails: anything
// else is mobile.
AddressKey MakeKey(std::string_view text, char phase, const LocalIdentity& me);
// As MakeKey, into `key`, which keeps its capacity: no allocation per message.
void MakeKeyInto(std::string_view text, char phase, const LocalIdentity& me, std::string& key);

// What the addresses begin with that routers make for dynamic targets (spec routing section 1).
inline constexpr char kTemporaryPrefix[] = "_$temp.";

// One `address` resource (spec routing section 1.1).
struct AddressSetting {
  std::string pattern;  // normal form; a prefix p is the pattern p/#
  Treatment treatment = Treatment::kBalanced;
  char ingress_phase = '0';
  char egress_phase = '0';
  std::optional<uint8_t> priority;  // 0..9
  bool fallback = false;
};

// All address settings: immutable, shared by View. Most specific pattern wins, token by token
// (spec routing section 1.2): literal before * before #.
//
// Tokens are separated by '.' or '/'; separators at either end do not count. Match costs a look-up
// or two per token of the text, whatever the number of settings.
class AddressSettings {
 public:
  static constexpr size_t kPatternTokensMax = 128;

  // AlreadyExists where two patterns normalise to the same text; InvalidArgument for an empty
  // pattern or one of more than kPatternTokensMax tokens.
  static absl::StatusOr<std::shared_ptr<const AddressSettings>> Build(
      std::vector<AddressSetting> settings, Treatment default_treatment);
  ~AddressSettings();

  // The setting for an address text (without scheme and authority), or the default. Allocates only
  // where more than 16 patterns have a literal behind a '#'. The reference lives as long as this.
  const AddressSetting& Match(std::string_view text) const;
  // The setting for the address with this key, by Match. Null if settings do not speak of it: local
  // and topological addresses, and those that routers make for dynamic targets.
  const AddressSetting* ForKey(std::string_view key) const;

 private:
  AddressSettings();
  struct Node;

  absl::Status Add(AddressSetting setting);

  std::unique_ptr<Node> root_;
  size_t hashes_ = 0;  // '#' nodes of the tree that something follows
  AddressSetting default_;
};

// `#.*` becomes `*.#`, `#.#` becomes `#`; separators become '/', and those that do not count go.
std::string NormalisePattern(std::string_view pattern);

}  // namespace trunkline::core
