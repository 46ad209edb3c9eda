#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "router/amqp/codec.h"
#include "router/amqp/performatives.h"
#include "router/amqp/types.h"

namespace trunkline::amqp {

enum class Need : uint8_t { kOptional, kMandatory };

// Reads the fields of one described list in order and remembers the first mistake by name:
// "attach.source.address: expected string". For everything that is not read once per message.
//
// A field that is null or left out keeps its destination as it is. After a mistake the rest is
// skipped. Lives on the stack of one parse.
class FieldReader {
 public:
  // Of the body of a frame; to be ended by FinishBody. `name` and `body` must outlive this.
  FieldReader(std::string_view name, Descriptor descriptor, std::string_view body);
  // Reads the constructor and the list header from `reader`.
  FieldReader(std::string_view name, uint64_t descriptor, Reader& reader);
  // As above, of a value whose descriptor has been read.
  FieldReader(std::string_view name, Reader& reader);
  FieldReader(const FieldReader&) = delete;
  FieldReader& operator=(const FieldReader&) = delete;

  void Boolean(std::string_view field, bool& value, Need need = Need::kOptional);
  // An enumeration of choices 0..max, on the wire a ubyte (`Choice8`), a uint or a boolean.
  template <typename Enum>
  void Choice8(std::string_view field, Enum& value, Enum max, Need need = Need::kOptional);
  template <typename Enum>
  void Choice32(std::string_view field, Enum& value, Enum max);
  void Role(std::string_view field, amqp::Role& value);  // mandatory
  void Ushort(std::string_view field, uint16_t& value);
  void Ushort(std::string_view field, std::optional<uint16_t>& value);
  void Uint(std::string_view field, uint32_t& value, Need need = Need::kOptional);
  void Uint(std::string_view field, std::optional<uint32_t>& value);
  void Ulong(std::string_view field, uint64_t& value);
  void String(std::string_view field, std::string& value, Need need = Need::kOptional);
  void String(std::string_view field, std::optional<std::string>& value);
  void Symbol(std::string_view field, std::string& value, Need need = Need::kOptional);
  void Binary(std::string_view field, std::string& value);  // mandatory
  void Binary(std::string_view field, std::optional<std::string>& value);
  void Symbols(std::string_view field, std::vector<std::string>& values, bool* single = nullptr);
  void SymbolsRequired(std::string_view field, std::vector<std::string>& values);
  // Values that stay encoded; their structure is checked.
  void RawMap(std::string_view field, std::string& raw);
  void RawDescribed(std::string_view field, std::string& raw);
  void RawSymbols(std::string_view field, std::string& raw);
  void Ignore(std::string_view field);
  // An error, part 2, section 2.8.14.
  void Error(std::string_view field, Condition& error);
  void Terminus(std::string_view field, amqp::Terminus& terminus);

  // The first mistake; also too many fields.
  absl::Status Finish();
  // `value`, or what Finish() says; bytes behind the list are a mistake as well.
  template <typename T>
  absl::StatusOr<T> FinishBody(T value) {
    absl::Status status = Finish();
    if (!status.ok()) return status;
    if (!behind_.AtEnd()) return TrailingBytes();
    return value;
  }

 private:
  // What all constructors of a described list share.
  void Start(uint64_t descriptor, Reader& reader);
  // True: the field has a value, to be read from items().
  bool Next(std::string_view field, Need need);
  // A string, symbol or binary, to a string or an optional one.
  template <typename Text>
  void Variable(std::string_view field, Text& value, Need need,
                bool (Reader::*read)(std::string_view&), std::string_view expected);
  void Check(bool good, std::string_view field, std::string_view expected);
  void Fail(std::string_view field, std::string_view problem);
  void Nested(const absl::Status& status);
  void SourceOrTarget(std::string_view field, amqp::Terminus& terminus, bool source);
  absl::Status TrailingBytes() const;
  Reader& items() { return list_.items(); }

  std::string_view name_;
  Reader behind_;  // the list, of a body
  ListReader list_;
  absl::Status status_;
};

template <typename Enum>
void FieldReader::Choice8(std::string_view field, Enum& value, Enum max, Need need) {
  if (!Next(field, need)) return;
  uint8_t number = 0;
  if (!items().Ubyte(number)) return Fail(field, "expected ubyte");
  if (number > static_cast<uint8_t>(max)) return Fail(field, "unknown choice");
  value = static_cast<Enum>(number);
}

template <typename Enum>
void FieldReader::Choice32(std::string_view field, Enum& value, Enum max) {
  if (!Next(field, Need::kOptional)) return;
  uint32_t number = 0;
  if (!items().Uint(number)) return Fail(field, "expected uint");
  if (number > static_cast<uint32_t>(max)) return Fail(field, "unknown choice");
  value = static_cast<Enum>(number);
}

}  // namespace trunkline::amqp
