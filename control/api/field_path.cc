#include "control/api/field_path.h"

#include <cmath>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "control/config/problem.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "google/protobuf/timestamp.pb.h"

namespace trunkline::api {
namespace {

using config::Concat;
using config::Quote;
using config::internal::Piece;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool IsTimestamp(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type() == google::protobuf::Timestamp::descriptor();
}

// Whether the field holds a message of ours, whose fields a path may name.
bool IsNested(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_repeated() &&
         !config::IsDuration(field) && !IsTimestamp(field);
}

template <typename Number>
std::optional<Value> ParseInteger(std::string_view text) {
  Number number = 0;
  if (!absl::SimpleAtoi(Piece(text), &number)) return std::nullopt;
  return Value(number);
}

std::optional<Value> ParseReal(std::string_view text) {
  double number = 0;
  if (!absl::SimpleAtod(Piece(text), &number) || !std::isfinite(number)) return std::nullopt;
  return Value(number);
}

std::optional<Value> ParseEnum(const google::protobuf::EnumDescriptor& type,
                               std::string_view text) {
  const auto* value = type.FindValueByName(std::string(text));
  if (value == nullptr) value = config::FindByShortName(type, text);
  if (value == nullptr) return std::nullopt;
  return Value(int64_t{value->number()});
}

std::optional<Value> ParseTimes(const FieldDescriptor& field, std::string_view text) {
  if (config::IsDuration(field)) {
    absl::Duration duration;
    if (!absl::ParseDuration(Piece(text), &duration)) return std::nullopt;
    return Value(duration);
  }
  absl::Time time;
  if (!IsTimestamp(field) || !absl::ParseTime(absl::RFC3339_full, Piece(text), &time, nullptr)) {
    return std::nullopt;
  }
  return Value(time);
}

// The seconds and nanoseconds of a Duration or Timestamp, which have the same fields.
absl::Duration Span(const Message& message) {
  const auto& reflection = *message.GetReflection();
  const Descriptor& type = *message.GetDescriptor();
  return absl::Seconds(reflection.GetInt64(message, type.FindFieldByNumber(1))) +
         absl::Nanoseconds(reflection.GetInt32(message, type.FindFieldByNumber(2)));
}

// The value of a field that is not repeated.
Value ReadOne(const Message& owner, const FieldDescriptor& field) {
  const auto& reflection = *owner.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(owner, &field);
    case FieldDescriptor::CPPTYPE_INT32:
      return int64_t{reflection.GetInt32(owner, &field)};
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetInt64(owner, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return uint64_t{reflection.GetUInt32(owner, &field)};
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.GetUInt64(owner, &field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return double{reflection.GetFloat(owner, &field)};
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(owner, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return int64_t{reflection.GetEnumValue(owner, &field)};
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.GetString(owner, &field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  const absl::Duration span = Span(reflection.GetMessage(owner, &field));
  return IsTimestamp(field) ? Value(absl::UnixEpoch() + span) : Value(span);
}

// The entry of a map of texts with this key; null: there is none.
const Message* FindEntry(const Message& owner, const FieldDescriptor& map, std::string_view key) {
  const auto& reflection = *owner.GetReflection();
  const FieldDescriptor* key_field = map.message_type()->map_key();
  for (int i = 0; i < reflection.FieldSize(owner, &map); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(owner, &map, i);
    std::string scratch;
    if (entry.GetReflection()->GetStringReference(entry, key_field, &scratch) == key) return &entry;
  }
  return nullptr;
}

// Names of the fields of a message type, for hints.
std::vector<std::string> FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return names;
}

// What the absence of the field means by its rules; none if they say nothing.
Value FallbackOf(const FieldDescriptor& field) {
  const std::string& text = config::RulesOf(field).default_value();
  return text.empty() ? Value() : ParseValue(field, text).value_or(Value());
}

}  // namespace

std::optional<Value> ParseValue(const FieldDescriptor& field, std::string_view text) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false") return std::nullopt;
      return Value(text == "true");
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return ParseInteger<int64_t>(text);
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return ParseInteger<uint64_t>(text);
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return ParseReal(text);
    case FieldDescriptor::CPPTYPE_ENUM:
      return ParseEnum(*field.enum_type(), text);
    case FieldDescriptor::CPPTYPE_STRING:
      return Value(std::string(text));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return ParseTimes(field, text);
}

std::string ValuesOf(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return Concat("one of ", absl::StrJoin(config::ShortNames(*field.enum_type()), ", "));
    case FieldDescriptor::CPPTYPE_STRING:
      return "a text";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (config::IsDuration(field)) return "a duration such as 30s";
      return IsTimestamp(field) ? "a time such as \"2026-01-31T12:00:00Z\"" : "";
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "a whole number in its range";
    default:
      return "a number";
  }
}

absl::StatusOr<FieldPath> FieldPath::Parse(std::string_view text, const Descriptor& type) {
  FieldPath path;
  path.text_ = std::string(text);
  const absl::Status status = path.Walk(text, type);
  if (!status.ok()) return status;
  if (path.IsScalar() && !path.is_entry()) path.fallback_ = FallbackOf(path.leaf());
  return path;
}

absl::Status FieldPath::Walk(std::string_view text, const Descriptor& type) {
  const Descriptor* in = &type;
  for (std::string_view rest = text;;) {
    const size_t dot = rest.find('.');
    const std::string name(rest.substr(0, dot));
    const FieldDescriptor* field = in->FindFieldByName(name);
    if (field == nullptr) {
      return absl::InvalidArgumentError(
          Concat("there is no field ", Quote(text), config::DidYouMean(name, FieldNames(*in))));
    }
    fields_.push_back(field);
    if (dot == std::string_view::npos) return absl::OkStatus();
    rest.remove_prefix(dot + 1);
    if (field->is_map() &&
        field->message_type()->map_key()->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      key_ = std::string(rest);
      return key_.empty() ? absl::InvalidArgumentError(Concat(Quote(text), " ends with a dot"))
                          : absl::OkStatus();
    }
    if (!IsNested(*field)) {
      return absl::InvalidArgumentError(Concat(Quote(name), " has no fields"));
    }
    in = field->message_type();
  }
}

const Message& FieldPath::Owner(const Message& message) const {
  const Message* owner = &message;
  for (size_t i = 0; i + 1 < fields_.size(); ++i) {
    owner = &owner->GetReflection()->GetMessage(*owner, fields_[i]);
  }
  return *owner;
}

bool FieldPath::IsScalar() const {
  if (is_entry()) return !ValuesOf(*leaf().message_type()->map_value()).empty();
  return !leaf().is_repeated() && !ValuesOf(leaf()).empty();
}

bool FieldPath::IsList() const {
  if (is_entry()) return false;
  if (leaf().is_map()) {
    return leaf().message_type()->map_key()->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  }
  return leaf().is_repeated() && leaf().cpp_type() == FieldDescriptor::CPPTYPE_STRING;
}

bool FieldPath::IsSet(const Message& message) const {
  const Message& owner = Owner(message);
  if (is_entry()) return FindEntry(owner, leaf(), key_) != nullptr;
  if (leaf().is_repeated()) return owner.GetReflection()->FieldSize(owner, &leaf()) > 0;
  return owner.GetReflection()->HasField(owner, &leaf());
}

bool FieldPath::HasOwner(const Message& message) const {
  const Message* owner = &message;
  for (size_t i = 0; i + 1 < fields_.size(); ++i) {
    if (!owner->GetReflection()->HasField(*owner, fields_[i])) return false;
    owner = &owner->GetReflection()->GetMessage(*owner, fields_[i]);
  }
  return true;
}

Value FieldPath::Read(const Message& message) const {
  const Message& owner = Owner(message);
  if (is_entry()) {
    const Message* entry = FindEntry(owner, leaf(), key_);
    return entry == nullptr ? Value() : ReadOne(*entry, *leaf().message_type()->map_value());
  }
  const bool has = owner.GetReflection()->HasField(owner, &leaf());
  if (!has && (leaf().has_presence() || fallback_.index() != 0)) return fallback_;
  return ReadOne(owner, leaf());
}

bool FieldPath::Holds(const Message& message, const std::string& wanted) const {
  const Message& owner = Owner(message);
  if (leaf().is_map()) return FindEntry(owner, leaf(), wanted) != nullptr;
  const auto& reflection = *owner.GetReflection();
  for (int i = 0; i < reflection.FieldSize(owner, &leaf()); ++i) {
    std::string scratch;
    if (reflection.GetRepeatedStringReference(owner, &leaf(), i, &scratch) == wanted) return true;
  }
  return false;
}

void FieldPath::Copy(const Message& from, Message& to) const {
  if (!IsSet(from)) return;
  const Message* source = &from;
  Message* target = &to;
  for (size_t i = 0; i + 1 < fields_.size(); ++i) {
    source = &source->GetReflection()->GetMessage(*source, fields_[i]);
    target = target->GetReflection()->MutableMessage(target, fields_[i]);
  }
  if (is_entry()) {
    target->GetReflection()
        ->AddMessage(target, &leaf())
        ->CopyFrom(*FindEntry(*source, leaf(), key_));
    return;
  }
  std::vector<const FieldDescriptor*> others;
  const std::unique_ptr<Message> alone(source->New());
  alone->CopyFrom(*source);
  alone->GetReflection()->ListFields(*alone, &others);
  for (const FieldDescriptor* field : others) {
    if (field != &leaf()) alone->GetReflection()->ClearField(alone.get(), field);
  }
  target->MergeFrom(*alone);
}

}  // namespace trunkline::api
