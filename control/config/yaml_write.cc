#include "control/config/yaml_write.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "control/config/collection.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"

namespace trunkline::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kIndent = 2;

// Whether YAML takes `text` for what it is, without quotes: it begins with a letter and has nothing
// that means something to YAML.
bool IsPlain(std::string_view text) {
  if (text.empty() || !absl::ascii_isalpha(static_cast<unsigned char>(text.front()))) return false;
  const std::string lower = absl::AsciiStrToLower(internal::Piece(text));
  for (const char* word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    if (lower == word) return false;
  }
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '/' || c == '_' || c == '-';
  });
}

std::string Scalar(std::string_view text) {
  if (IsPlain(text)) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppendFormat(&quoted, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

bool IsTime(const FieldDescriptor& field) {
  return field.message_type() == google::protobuf::Timestamp::descriptor();
}

// Writes the fields of one message. Short-lived; owns nothing.
class MessageWriter {
 public:
  MessageWriter(const Message& message, int indent, std::string& text)
      : message_(message),
        reflection_(*message.GetReflection()),
        margin_(static_cast<size_t>(indent), ' '),
        text_(text) {}

  void Write();

 private:
  void WriteField(const FieldDescriptor& field);
  void WriteMap(const FieldDescriptor& field);
  std::string Element(const FieldDescriptor& field, int index) const;
  // Of a plain field, or of element `index` of a repeated one.
  std::string Value(const FieldDescriptor& field, int index) const;
  std::string Text(const FieldDescriptor& field, int index) const;
  int indent() const { return static_cast<int>(margin_.size()); }

  const Message& message_;
  const Reflection& reflection_;
  const std::string margin_;
  std::string& text_;
};

void MessageWriter::Write() {
  std::vector<const FieldDescriptor*> fields;
  reflection_.ListFields(message_, &fields);
  for (const FieldDescriptor* field : fields) WriteField(*field);
}

void MessageWriter::WriteField(const FieldDescriptor& field) {
  if (field.is_map()) return WriteMap(field);
  absl::StrAppend(&text_, margin_, field.name(), ":");
  const bool is_inner =
      field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field) && !IsTime(field);
  if (field.is_repeated()) {
    text_ += '\n';
    for (int i = 0; i < reflection_.FieldSize(message_, &field); ++i) {
      absl::StrAppend(&text_, is_inner ? Element(field, i)
                                       : absl::StrCat(margin_, "- ", Value(field, i), "\n"));
    }
    return;
  }
  if (is_inner) {
    const Message& inner = reflection_.GetMessage(message_, &field);
    const std::string lines = WriteYaml(inner, indent() + kIndent);
    absl::StrAppend(&text_, lines.empty() ? " {}\n" : "\n", lines);
    return;
  }
  absl::StrAppend(&text_, " ", Value(field, 0), "\n");
}

void MessageWriter::WriteMap(const FieldDescriptor& field) {
  absl::StrAppend(&text_, margin_, field.name(), ":\n");
  std::map<std::string, std::string> entries;  // in order
  for (int i = 0; i < reflection_.FieldSize(message_, &field); ++i) {
    const Message& entry = reflection_.GetRepeatedMessage(message_, &field, i);
    const google::protobuf::Descriptor& type = *entry.GetDescriptor();
    std::string unused;
    const MessageWriter writer(entry, 0, unused);
    entries[writer.Value(*type.map_key(), 0)] = writer.Value(*type.map_value(), 0);
  }
  for (const auto& [key, value] : entries) {
    absl::StrAppend(&text_, margin_, std::string(kIndent, ' '), key, ": ", value, "\n");
  }
}

// Of a list of messages.
std::string MessageWriter::Element(const FieldDescriptor& field, int index) const {
  std::string lines =
      WriteYaml(reflection_.GetRepeatedMessage(message_, &field, index), indent() + kIndent);
  if (lines.empty()) return margin_ + "- {}\n";
  lines[margin_.size()] = '-';
  return lines;
}

std::string MessageWriter::Value(const FieldDescriptor& field, int index) const {
  const bool repeated = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL: {
      const bool flag = repeated ? reflection_.GetRepeatedBool(message_, &field, index)
                                 : reflection_.GetBool(message_, &field);
      return flag ? "true" : "false";
    }
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(repeated ? reflection_.GetRepeatedInt32(message_, &field, index)
                                   : reflection_.GetInt32(message_, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(repeated ? reflection_.GetRepeatedInt64(message_, &field, index)
                                   : reflection_.GetInt64(message_, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return NumberText(repeated ? reflection_.GetRepeatedDouble(message_, &field, index)
                                 : reflection_.GetDouble(message_, &field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return NumberText(repeated ? reflection_.GetRepeatedFloat(message_, &field, index)
                                 : reflection_.GetFloat(message_, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(repeated ? reflection_.GetRepeatedUInt32(message_, &field, index)
                                   : reflection_.GetUInt32(message_, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(repeated ? reflection_.GetRepeatedUInt64(message_, &field, index)
                                   : reflection_.GetUInt64(message_, &field));
    case FieldDescriptor::CPPTYPE_ENUM:
      return ShortName(repeated ? *reflection_.GetRepeatedEnum(message_, &field, index)
                                : *reflection_.GetEnum(message_, &field));
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& inner = repeated ? reflection_.GetRepeatedMessage(message_, &field, index)
                                      : reflection_.GetMessage(message_, &field);
      if (IsTime(field)) {
        return Scalar(google::protobuf::util::TimeUtil::ToString(
            static_cast<const google::protobuf::Timestamp&>(inner)));
      }
      return FormatDuration(ToMilliseconds(static_cast<const google::protobuf::Duration&>(inner)));
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return Scalar(Text(field, index));
  }
  return "";
}

std::string MessageWriter::Text(const FieldDescriptor& field, int index) const {
  const std::string text = field.is_repeated()
                               ? reflection_.GetRepeatedString(message_, &field, index)
                               : reflection_.GetString(message_, &field);
  return RulesOf(field).reference().empty() ? text : std::string(ResourceId(text));
}

void WriteSection(const char* section, const Message& message, std::string& text) {
  const std::string lines = WriteYaml(message, kIndent);
  if (!lines.empty()) absl::StrAppend(&text, section, ":\n", lines);
}

void WriteResource(const std::string& id, const Message& resource, std::string& text) {
  absl::StrAppend(&text, "- name: ", Scalar(id), "\n");
  // What the router tells of it is no part of a configuration.
  std::unique_ptr<Message> words(resource.New());
  words->CopyFrom(resource);
  std::vector<const FieldDescriptor*> fields;
  words->GetReflection()->ListFields(*words, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->name() == "legacy_name" || field->name() == "labels") continue;
    words->GetReflection()->ClearField(words.get(), field);
  }
  text += WriteYaml(*words, kIndent);
  const FieldDescriptor* const spec = resource.GetDescriptor()->FindFieldByName("spec");
  text += WriteYaml(resource.GetReflection()->GetMessage(resource, spec), kIndent);
}

}  // namespace

std::string NumberText(double number) {
  constexpr double kExact = 9007199254740992;  // 2^53
  if (std::trunc(number) == number && std::abs(number) <= kExact) {
    return absl::StrCat(static_cast<int64_t>(number));
  }
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number);
  return std::string(text.data(), end.ptr);
}

std::string WriteYaml(const Message& message, int indent) {
  std::string text;
  MessageWriter(message, indent, text).Write();
  return text;
}

std::string WriteYaml(const Document& document) {
  std::string text;
  WriteSection("router", document.router, text);
  WriteSection("log", document.log, text);
  WriteSection("control", document.control, text);
  if (document.metrics) {
    const std::string lines = WriteYaml(*document.metrics, kIndent);
    absl::StrAppend(&text, "metrics:", lines.empty() ? " {}\n" : "\n", lines);
  }
  for (const Collection& collection : Collections()) {
    if (collection.Size(document) == 0) continue;
    absl::StrAppend(&text, collection.section(), ":\n");
    collection.ForEach(document, [&](const std::string& id, const Message& resource) {
      WriteResource(id, resource, text);
    });
  }
  return text;
}

}  // namespace trunkline::config
