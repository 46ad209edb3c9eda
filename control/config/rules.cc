#include "control/config/rules.h"

#include <cstdint>
#include <limits>

#include "control/config/schema.h"
#include "control/config/text.h"

namespace trunkline::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Holds the fields of one message against their rules. Short-lived; owns nothing.
class RuleChecker {
 public:
  RuleChecker(const Message& message, const std::string& path, std::vector<Problem>& problems)
      : message_(message),
        reflection_(*message.GetReflection()),
        path_(path),
        problems_(problems) {}

  void Check() {
    const google::protobuf::Descriptor& type = *message_.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) CheckField(*type.field(i));
  }

 private:
  void CheckField(const FieldDescriptor& field);
  void CheckSet(const FieldDescriptor& field);
  void CheckText(const FieldDescriptor& field);
  void CheckDuration(const FieldDescriptor& field);
  void CheckEnum(const FieldDescriptor& field);
  void CheckNumber(const FieldDescriptor& field, uint64_t value);
  std::string PathOf(const FieldDescriptor& field) const {
    return Concat(path_, ".", field.name());
  }
  void Fail(const FieldDescriptor& field, std::string text) {
    problems_.push_back({{}, PathOf(field), std::move(text)});
  }

  const Message& message_;
  const Reflection& reflection_;
  const std::string& path_;
  std::vector<Problem>& problems_;
};

void RuleChecker::CheckField(const FieldDescriptor& field) {
  const v1::FieldRules& rules = RulesOf(field);
  if (field.is_repeated()) {
    const int size = reflection_.FieldSize(message_, &field);
    if (rules.has_max() && size > rules.max()) {
      Fail(field, Concat(size, " entries are more than ", rules.max()));
    }
    return;
  }
  if (field.has_presence() && !reflection_.HasField(message_, &field)) {
    if (rules.required()) Fail(field, "is required");
    return;
  }
  CheckSet(field);
}

void RuleChecker::CheckSet(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return CheckText(field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return CheckNumber(field, reflection_.GetUInt32(message_, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return CheckNumber(field, reflection_.GetUInt64(message_, &field));
    case FieldDescriptor::CPPTYPE_ENUM:
      return CheckEnum(field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (IsDuration(field)) return CheckDuration(field);
      return CheckRules(reflection_.GetMessage(message_, &field), PathOf(field), problems_);
    default:
      return;  // booleans
  }
}

void RuleChecker::CheckText(const FieldDescriptor& field) {
  const v1::FieldRules& rules = RulesOf(field);
  std::string scratch;
  const std::string& text = reflection_.GetStringReference(message_, &field, &scratch);
  if (text.empty()) {
    if (rules.required()) Fail(field, "is required");
    return;
  }
  for (char c : text) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) continue;
    return Fail(field, "holds a control character");
  }
  if (rules.has_max() && static_cast<int64_t>(text.size()) > rules.max()) {
    Fail(field, Concat(text.size(), " bytes are more than ", rules.max()));
  }
}

void RuleChecker::CheckDuration(const FieldDescriptor& field) {
  const v1::FieldRules& rules = RulesOf(field);
  google::protobuf::Duration duration;
  duration.CopyFrom(reflection_.GetMessage(message_, &field));
  // Others have no form in JSON. (No duration of ours is negative.)
  constexpr int32_t kNanosMax = 999'999'999;
  if (duration.nanos() < 0 || duration.nanos() > kNanosMax) {
    return Fail(field, Concat(duration.nanos(), " nanoseconds are not in 0..", kNanosMax));
  }
  const int64_t milliseconds = ToMilliseconds(duration);
  if (milliseconds < rules.min() || milliseconds > rules.max()) {
    Fail(field, Concat(FormatDuration(milliseconds), " is not in ", FormatDuration(rules.min()),
                       "..", FormatDuration(rules.max())));
  }
}

void RuleChecker::CheckEnum(const FieldDescriptor& field) {
  const int number = reflection_.GetEnumValue(message_, &field);
  if (field.enum_type()->FindValueByNumber(number) == nullptr) {
    Fail(field, Concat(number, " is no value of ", field.enum_type()->name()));
  }
}

void RuleChecker::CheckNumber(const FieldDescriptor& field, uint64_t value) {
  const v1::FieldRules& rules = RulesOf(field);
  const bool below = rules.has_min() && value < static_cast<uint64_t>(rules.min());
  const bool above = rules.has_max() && value > static_cast<uint64_t>(rules.max());
  if (below || above) Fail(field, Concat(value, " is not in ", rules.min(), "..", rules.max()));
}

}  // namespace

void CheckRules(const Message& message, const std::string& path, std::vector<Problem>& problems) {
  RuleChecker(message, path, problems).Check();
}

}  // namespace trunkline::config
