#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace trunkline::api {

inline constexpr size_t kFilterBytesMax = 4096;
inline constexpr int kFilterDepthMax = 20;
inline constexpr int kFilterComparisonsMax = 100;

// Which resources a caller wants: a part of AIP-160 (control/README.md, "Filters").
//
//   filter     = term {"AND" term} | term {"OR" term}       (mixed only with parentheses)
//   term       = ["NOT"] ("(" filter ")" | comparison)
//   comparison = path ("=" | "!=" | "<" | "<=" | ">" | ">=" | ":") value
//   value      = a word | '"' text '"' | "'" text "'"
//
// A value. Pure: no clock, no state; any thread.
class Filter {
 public:
  Filter();  // takes all
  ~Filter();
  Filter(const Filter&);
  Filter& operator=(const Filter&);

  // InvalidArgument (INVALID_FILTER, field `filter`) says where in `text` it is wrong and why.
  static absl::StatusOr<Filter> Parse(std::string_view text,
                                      const google::protobuf::Descriptor& type);

  // REQUIRES: `message` is of the type that the filter was read for.
  bool Matches(const google::protobuf::Message& message) const;
  // Whether it looks at a field of this name, or into it: "status".
  bool Reads(std::string_view top_field) const;

 private:
  struct Node;
  class Parser;
  std::shared_ptr<const Node> root_;  // null: takes all
};

}  // namespace trunkline::api
