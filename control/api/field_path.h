#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"

namespace trunkline::api {

// A value of a field, for comparing; enum values are their numbers. The first is none: it comes
// before every other.
using Value = std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string,
                           absl::Duration, absl::Time>;

// Reads a value of `field` (of one element, if it is repeated) as callers write it: numbers, true
// and false, enum values by name ("STATE_LISTENING" or "listening"), durations ("1m30s", "0.5s"),
// timestamps (RFC 3339), text. Nothing: it is none.
std::optional<Value> ParseValue(const google::protobuf::FieldDescriptor& field,
                                std::string_view text);
// What ParseValue takes for this field: "a number", "one of pending, listening"; empty: its values
// cannot be compared.
std::string ValuesOf(const google::protobuf::FieldDescriptor& field);

// A field of a message, or of a message in it: "spec.port"; or an entry of a map: "labels.team".
// Immutable; any thread.
class FieldPath {
 public:
  // InvalidArgument: the message says what is wrong with the path, to be read behind its place.
  static absl::StatusOr<FieldPath> Parse(std::string_view text,
                                         const google::protobuf::Descriptor& type);

  const std::string& text() const { return text_; }
  const google::protobuf::FieldDescriptor& top() const { return *fields_.front(); }
  // The last field; of an entry of a map, the map.
  const google::protobuf::FieldDescriptor& leaf() const { return *fields_.back(); }
  bool is_entry() const { return !key_.empty(); }
  const std::string& key() const { return key_; }
  // Whether it has one value, which Read tells.
  bool IsScalar() const;
  // Whether it is a list or a map of texts, which Holds can be asked of.
  bool IsList() const;

  bool IsSet(const google::protobuf::Message& message) const;
  // Whether the messages are there that the field is in.
  bool HasOwner(const google::protobuf::Message& message) const;
  // Of a field that is absent: what its rules (proto: FieldRules) say that this means, if they do,
  // else none. REQUIRES: IsScalar.
  Value Read(const google::protobuf::Message& message) const;
  // Of a list: whether `wanted` is in it; of a map: whether it is a key. REQUIRES: IsList.
  bool Holds(const google::protobuf::Message& message, const std::string& wanted) const;
  // Makes the field in `to` as it is in `from`. REQUIRES: IsScalar; both are of the path's type.
  void Copy(const google::protobuf::Message& from, google::protobuf::Message& to) const;

 private:
  FieldPath() = default;
  absl::Status Walk(std::string_view text, const google::protobuf::Descriptor& type);
  // The message that has the leaf; where it is absent, an empty one.
  const google::protobuf::Message& Owner(const google::protobuf::Message& message) const;

  std::string text_;
  std::vector<const google::protobuf::FieldDescriptor*> fields_;
  std::string key_;
  Value fallback_;  // what its absence means
};

}  // namespace trunkline::api
