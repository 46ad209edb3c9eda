#pragma once

#include <string_view>

#include "absl/types/span.h"

namespace trunkline::legacy {

// What qdrouterd.conf has and the resources have not, or have under other words: tables. What is in
// none of them is read by the legacy names in the field options of the protos.

// A section or attribute that is not taken over.
struct Gap {
  // Refused: it asks for what is not there. No effect: it is warned of, and nothing is missed.
  enum class Verdict { kRefused, kNoEffect };

  std::string_view section;
  std::string_view attribute;  // empty: the section as a whole
  Verdict verdict = Verdict::kRefused;
  // Said so it is nothing special, and nothing is told: the default of Dispatch. Empty: none.
  std::string_view harmless;
  std::string_view text;
};

// All gaps; control/legacy/README.md has the same, for people.
absl::Span<const Gap> Gaps();
// The gap that an attribute falls into; with an empty attribute, the section. Null: none.
const Gap* FindGap(std::string_view section, std::string_view attribute);

// A value that asks for what is not there: why; empty otherwise.
std::string_view RefusedValue(std::string_view attribute, std::string_view value);

// The name that an attribute of an older release has had since; `name` itself if it has no other.
std::string_view CurrentName(std::string_view section, std::string_view name);

// A value as YAML writes it: "amqps" of a port is "5671". `value` itself where both write the same.
std::string_view PlainValue(std::string_view attribute, std::string_view value);

// Numbers outside the range here that are as good as the nearest one inside it.
struct Fit {
  std::string_view attribute;
  bool zero_is_default = false;
};
const Fit* FindFit(std::string_view attribute);

}  // namespace trunkline::legacy
