#include "control/config/yaml_proto.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <type_traits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "control/config/document.h"
#include "control/config/schema.h"
#include "control/config/text.h"

namespace trunkline::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string_view KindName(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "a plain value";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
  }
  return "";
}

bool IsWholeNumber(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Reads the values of one message. Short-lived; owns nothing.
class MessageReader {
 public:
  MessageReader(Message& message, YamlReport& report)
      : message_(message), reflection_(*message.GetReflection()), report_(report) {}

  void Read(const YamlNode& node, const std::string& path, std::string_view beside);

 private:
  void ReadField(const FieldDescriptor& field, const YamlNode& value, const std::string& path);
  void ReadMap(const FieldDescriptor& field, const YamlNode& value, const std::string& path);
  void ReadScalar(const FieldDescriptor& field, const YamlNode& value, const std::string& path);
  template <typename Integer>
  std::optional<Integer> ReadInteger(const FieldDescriptor& field, const YamlNode& value,
                                     const std::string& path);
  std::optional<bool> ReadBool(const YamlNode& value, const std::string& path);
  void ReadDuration(const FieldDescriptor& field, const YamlNode& value, const std::string& path);
  void ReadEnum(const FieldDescriptor& field, const YamlNode& value, const std::string& path);
  void UnknownKey(const YamlNode& key, const std::string& path, std::string_view beside);
  bool Expect(YamlNode::Kind kind, const YamlNode& value, const std::string& path);
  void Fail(const YamlNode& node, const std::string& path, std::string text) {
    report_.problems.push_back({node.at, path, std::move(text)});
  }

  // Sets a plain or adds to a repeated field, by the pair of reflection methods for its type.
  template <typename Value, typename Set, typename Add>
  void Put(const FieldDescriptor& field, Value value, Set set, Add add) {
    if (field.is_repeated()) {
      (reflection_.*add)(&message_, &field, std::move(value));
    } else {
      (reflection_.*set)(&message_, &field, std::move(value));
    }
  }

  Message& message_;
  const google::protobuf::Reflection& reflection_;
  YamlReport& report_;
};

void MessageReader::Read(const YamlNode& node, const std::string& path, std::string_view beside) {
  ForEachEntry(node, path, report_,
               [&](const YamlNode& key, const YamlNode& value, const std::string& value_path) {
                 if (!beside.empty() && key.text == beside) return;
                 const FieldDescriptor* field = message_.GetDescriptor()->FindFieldByName(key.text);
                 if (field == nullptr) return UnknownKey(key, value_path, beside);
                 ReadField(*field, value, value_path);
               });
}

void MessageReader::ReadField(const FieldDescriptor& field, const YamlNode& value,
                              const std::string& path) {
  if (value.kind == YamlNode::Kind::kNull) {
    return Fail(value, path, "has no value; leave the key out for the default");
  }
  if (field.is_map()) return ReadMap(field, value, path);
  if (field.is_repeated()) {
    if (!Expect(YamlNode::Kind::kList, value, path)) return;
    const v1::FieldRules& rules = RulesOf(field);
    if (rules.has_max() && static_cast<int64_t>(value.items.size()) > rules.max()) {
      return Fail(value, path, Concat(value.items.size(), " entries are more than ", rules.max()));
    }
    for (size_t i = 0; i < value.items.size(); ++i) {
      const std::string item_path = Concat(path, "[", i, "]");
      report_.positions[item_path] = value.items[i].at;
      ReadScalar(field, value.items[i], item_path);
    }
    return;
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field)) {
    return ReadMessage(value, path, "", *reflection_.MutableMessage(&message_, &field), report_);
  }
  ReadScalar(field, value, path);
}

void MessageReader::ReadMap(const FieldDescriptor& field, const YamlNode& value,
                            const std::string& path) {
  ForEachEntry(value, path, report_,
               [&](const YamlNode& key, const YamlNode& item, const std::string& item_path) {
                 Message& entry = *reflection_.AddMessage(&message_, &field);
                 const google::protobuf::Descriptor& type = *entry.GetDescriptor();
                 entry.GetReflection()->SetString(&entry, type.map_key(), key.text);
                 MessageReader(entry, report_).ReadField(*type.map_value(), item, item_path);
               });
}

void MessageReader::ReadScalar(const FieldDescriptor& field, const YamlNode& value,
                               const std::string& path) {
  using google::protobuf::Reflection;
  if (!Expect(YamlNode::Kind::kScalar, value, path)) return;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      if (auto flag = ReadBool(value, path)) {
        Put(field, *flag, &Reflection::SetBool, &Reflection::AddBool);
      }
      return;
    case FieldDescriptor::CPPTYPE_UINT32:
      if (auto number = ReadInteger<uint32_t>(field, value, path)) {
        Put(field, *number, &Reflection::SetUInt32, &Reflection::AddUInt32);
      }
      return;
    case FieldDescriptor::CPPTYPE_UINT64:
      if (auto number = ReadInteger<uint64_t>(field, value, path)) {
        Put(field, *number, &Reflection::SetUInt64, &Reflection::AddUInt64);
      }
      return;
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string& reference = RulesOf(field).reference();
      Put(field, reference.empty() ? value.text : ResourceName(reference, value.text),
          &Reflection::SetString, &Reflection::AddString);
      return;
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return ReadEnum(field, value, path);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ReadDuration(field, value, path);
    default:
      return Fail(value, path, "has no form in YAML");
  }
}

template <typename Integer>
std::optional<Integer> MessageReader::ReadInteger(const FieldDescriptor& field,
                                                  const YamlNode& value, const std::string& path) {
  const v1::FieldRules& rules = RulesOf(field);
  const bool has_name = !rules.zero_name().empty();
  Integer number = 0;
  if (has_name && value.text == rules.zero_name()) return number;
  if (!IsWholeNumber(value.text)) {
    const std::string or_name = has_name ? Concat(" or \"", rules.zero_name(), "\"") : "";
    Fail(value, path, Concat(Quote(value.text), " is not a whole number", or_name));
  } else if (absl::SimpleAtoi(value.text, &number)) {
    return number;
  } else {
    Fail(value, path,
         Concat(value.text.substr(0, 40), " is not in ", rules.min(), "..", rules.max()));
  }
  return std::nullopt;
}

std::optional<bool> MessageReader::ReadBool(const YamlNode& value, const std::string& path) {
  if (value.text == "true") return true;
  if (value.text == "false") return false;
  Fail(value, path, Concat(Quote(value.text), " is not true or false"));
  return std::nullopt;
}

void MessageReader::ReadDuration(const FieldDescriptor& field, const YamlNode& value,
                                 const std::string& path) {
  if (auto duration = ParseDuration(value.text)) {
    reflection_.MutableMessage(&message_, &field)->CopyFrom(*duration);
  } else if (IsWholeNumber(value.text)) {
    Fail(value, path, Concat(Quote(value.text), " has no unit; write 30s, 1m30s or 250ms"));
  } else {
    Fail(value, path, Concat(Quote(value.text), " is not a duration such as 30s, 1m30s or 250ms"));
  }
}

void MessageReader::ReadEnum(const FieldDescriptor& field, const YamlNode& value,
                             const std::string& path) {
  const google::protobuf::EnumDescriptor& type = *field.enum_type();
  if (const auto* found = FindByShortName(type, value.text)) {
    return Put(field, found, &google::protobuf::Reflection::SetEnum,
               &google::protobuf::Reflection::AddEnum);
  }
  const std::vector<std::string> names = ShortNames(type);
  Fail(value, path,
       Concat(Quote(value.text), " is not one of ", absl::StrJoin(names, ", "),
              DidYouMean(value.text, names)));
}

void MessageReader::UnknownKey(const YamlNode& key, const std::string& path,
                               std::string_view beside) {
  if (key.text == "<<") {
    return Fail(key, path, "merge keys are not supported; an alias stands for a whole value");
  }
  std::vector<std::string> known;
  if (!beside.empty()) known.emplace_back(beside);
  const google::protobuf::Descriptor& type = *message_.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    known.push_back(type.field(i)->name());
    if (RulesOf(*type.field(i)).legacy_name() == key.text) {
      return Fail(key, path, Concat("unknown key; it is called \"", known.back(), "\" here"));
    }
  }
  Fail(key, path, Concat("unknown key", HintFor(key.text, known, report_)));
}

bool MessageReader::Expect(YamlNode::Kind kind, const YamlNode& value, const std::string& path) {
  if (value.kind == kind) return true;
  Fail(value, path, Concat("must be ", KindName(kind), ", not ", KindName(value.kind)));
  return false;
}

}  // namespace

void ForEachEntry(const YamlNode& node, const std::string& path, YamlReport& report,
                  const std::function<void(const YamlNode& key, const YamlNode& value,
                                           const std::string& path)>& entry) {
  if (node.kind == YamlNode::Kind::kNull) return;
  if (node.kind != YamlNode::Kind::kMap) {
    report.problems.push_back(
        {node.at, path, Concat("must be a map (key: value), not ", KindName(node.kind))});
    return;
  }
  std::map<std::string_view, int> seen;
  for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
    const YamlNode& key = node.items[i];
    const std::string value_path = PathTo(path, key.text);
    const auto [first, added] = seen.emplace(key.text, key.at.line);
    if (!added) {
      report.problems.push_back(
          {key.at, value_path, Concat("is set twice, first on line ", first->second)});
      continue;
    }
    report.positions[value_path] = node.items[i + 1].at;
    entry(key, node.items[i + 1], value_path);
  }
}

void ReadMessage(const YamlNode& node, const std::string& path, std::string_view beside,
                 google::protobuf::Message& message, YamlReport& report) {
  MessageReader(message, report).Read(node, path, beside);
}

std::string PathTo(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : Concat(path, ".", key);
}

std::string HintFor(std::string_view word, const std::vector<std::string>& known,
                    const YamlReport& report) {
  // Beyond what is shown nobody reads hints, and a large file may have many wrong words.
  if (report.problems.size() >= kProblemsShownMax) return "";
  const std::string hint = DidYouMean(word, known);
  return hint.empty() ? Concat("; known are ", absl::StrJoin(known, ", ")) : hint;
}

}  // namespace trunkline::config
