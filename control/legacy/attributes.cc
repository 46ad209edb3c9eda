#include "control/legacy/attributes.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "control/config/document.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "control/legacy/vocabulary.h"

namespace trunkline::legacy {
namespace {

using config::Concat;
using config::Quote;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldDescriptor* FindField(const google::protobuf::Descriptor& type,
                                 std::string_view legacy_name) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (config::RulesOf(*type.field(i)).legacy_name() == legacy_name) return type.field(i);
  }
  return nullptr;
}

// Reads one attribute into one field. Short-lived; owns nothing.
class FieldReader {
 public:
  FieldReader(const Section& section, const Attribute& attribute, const FieldDescriptor& field,
              Report& report)
      : section_(section),
        attribute_(attribute),
        field_(field),
        rules_(config::RulesOf(field)),
        value_(PlainValue(attribute.name, attribute.value)),
        report_(report) {}

  void Read(Message& message);

 private:
  void ReadNumber(Message& message);
  void ReadBool(Message& message);
  void ReadText(Message& message);
  void ReadEnum(Message& message);
  void ReadSeconds(Message& message);
  // The number, brought into the range where that is as good; nothing: the field stays as it is.
  std::optional<uint64_t> Fitting(uint64_t number);
  std::optional<uint64_t> Whole();
  void Fail(std::string text) {
    report_.problems.push_back(
        {attribute_.value_at, PathOf(section_, attribute_), std::move(text)});
  }

  const Section& section_;
  const Attribute& attribute_;
  const FieldDescriptor& field_;
  const v1::FieldRules& rules_;
  const std::string_view value_;
  Report& report_;
};

void FieldReader::Read(Message& message) {
  if (!attribute_.is_text) return Fail("is a map or a list; it must be a plain value");
  switch (field_.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return ReadNumber(message);
    case FieldDescriptor::CPPTYPE_BOOL:
      return ReadBool(message);
    case FieldDescriptor::CPPTYPE_STRING:
      return ReadText(message);
    case FieldDescriptor::CPPTYPE_ENUM:
      return ReadEnum(message);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ReadSeconds(message);
    default:
      return Fail("has no form in qdrouterd.conf");
  }
}

std::optional<uint64_t> FieldReader::Whole() {
  uint64_t number = 0;
  if (absl::SimpleAtoi(std::string(value_), &number)) return number;
  const bool digits =
      !value_.empty() && std::all_of(value_.begin() + (value_.front() == '-' ? 1 : 0), value_.end(),
                                     [](char c) { return absl::ascii_isdigit(c); });
  if (digits && value_ != "-") {
    Fail(Concat(Quote(value_), " is not in ", rules_.min(), "..", rules_.max()));
  } else {
    Fail(Concat(Quote(value_), " is not a whole number"));
  }
  return std::nullopt;
}

std::optional<uint64_t> FieldReader::Fitting(uint64_t number) {
  const Fit* const fit = FindFit(attribute_.name);
  if (fit != nullptr && fit->zero_is_default && number == 0) return std::nullopt;
  const auto min = static_cast<uint64_t>(rules_.min());
  const auto max = static_cast<uint64_t>(rules_.max());
  if (number >= min && number <= max) return number;
  if (fit == nullptr) {
    Fail(Concat(number, " is not in ", min, "..", max));
    return std::nullopt;
  }
  const uint64_t nearest = std::clamp(number, min, max);
  report_.warnings.push_back(
      {attribute_.value_at, PathOf(section_, attribute_),
       Concat(number, " is not in ", min, "..", max, "; ", nearest, " is used")});
  return nearest;
}

void FieldReader::ReadNumber(Message& message) {
  std::optional<uint64_t> number = Whole();
  if (number) number = Fitting(*number);
  if (!number) return;
  if (field_.cpp_type() == FieldDescriptor::CPPTYPE_UINT64) {
    message.GetReflection()->SetUInt64(&message, &field_, *number);
  } else {
    message.GetReflection()->SetUInt32(&message, &field_, static_cast<uint32_t>(*number));
  }
}

void FieldReader::ReadBool(Message& message) {
  const std::optional<bool> flag = ParseBool(value_);
  if (!flag) return Fail(Concat(Quote(value_), " is not yes or no"));
  message.GetReflection()->SetBool(&message, &field_, *flag);
}

void FieldReader::ReadText(Message& message) {
  if (field_.is_repeated()) {
    std::vector<std::string> words = Words(value_);
    if (rules_.has_max() && static_cast<int64_t>(words.size()) > rules_.max()) {
      return Fail(Concat(words.size(), " entries are more than ", rules_.max()));
    }
    for (std::string& word : words) {
      message.GetReflection()->AddString(&message, &field_, std::move(word));
    }
    return;
  }
  const std::string& reference = rules_.reference();
  message.GetReflection()->SetString(
      &message, &field_,
      reference.empty() ? std::string(value_)
                        : config::ResourceName(reference, config::DeriveId(value_)));
}

// "ROLE_ROUTE_CONTAINER" is written route-container here.
void FieldReader::ReadEnum(Message& message) {
  const google::protobuf::EnumDescriptor& type = *field_.enum_type();
  const std::string name = absl::StrReplaceAll(std::string(value_), {{"-", "_"}});
  const auto* const value = config::FindByShortName(type, name);
  if (value != nullptr) return message.GetReflection()->SetEnum(&message, &field_, value);
  if (const std::string_view why = RefusedValue(attribute_.name, value_); !why.empty()) {
    return Fail(Concat(value_, ": ", why));
  }
  std::vector<std::string> names = config::ShortNames(type);
  for (std::string& known : names) known = absl::StrReplaceAll(known, {{"_", "-"}});
  Fail(Concat(Quote(value_), " is not one of ", absl::StrJoin(names, ", "),
              config::DidYouMean(value_, names)));
}

void FieldReader::ReadSeconds(Message& message) {
  if (!config::IsDuration(field_)) return Fail("has no form in qdrouterd.conf");
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(std::string(value_), &seconds)) {
    return Fail(Concat(Quote(value_), " is not a whole number of seconds"));
  }
  google::protobuf::Duration duration;
  duration.set_seconds(seconds);
  message.GetReflection()->MutableMessage(&message, &field_)->CopyFrom(duration);
}

}  // namespace

bool ReadField(const Section& section, const Attribute& attribute, std::string_view legacy_name,
               const Target& target, Report& report) {
  const FieldDescriptor* const field = FindField(*target.message.GetDescriptor(), legacy_name);
  if (field == nullptr) return false;
  const std::string path = Concat(target.path, ".", field->name());
  report.positions[path] = attribute.value_at;
  report.names[path] = PathOf(section, attribute);
  FieldReader(section, attribute, *field, report).Read(target.message);
  return true;
}

std::vector<std::string> LegacyNames(const google::protobuf::Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) {
    const std::string& name = config::RulesOf(*type.field(i)).legacy_name();
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

std::optional<bool> ParseBool(std::string_view text) {
  const std::string lower = absl::AsciiStrToLower(std::string(text));
  if (lower == "yes" || lower == "true" || lower == "on") return true;
  if (lower == "no" || lower == "false" || lower == "off") return false;
  return std::nullopt;
}

std::vector<std::string> Words(std::string_view text) {
  return absl::StrSplit(std::string(text), absl::ByAnyChar(" \t,"), absl::SkipEmpty());
}

std::string PathOf(const Section& section, const Attribute& attribute) {
  return Concat(section.name, ".", attribute.name);
}

}  // namespace trunkline::legacy
