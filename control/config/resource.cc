#include "control/config/resource.h"

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "control/config/document.h"
#include "control/config/text.h"
#include "google/protobuf/util/message_differencer.h"
#include "router/base/check.h"

namespace trunkline::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldDescriptor& Field(const Message& message, const char* name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  TL_CHECK(field != nullptr) << message.GetTypeName() << " has no " << name;
  return *field;
}

bool IsIntent(std::string_view field) {
  return std::any_of(std::begin(kIntentFields), std::end(kIntentFields),
                     [&](const char* name) { return field == name; });
}

std::map<std::string, std::string> LabelsOf(const Message& resource) {
  std::map<std::string, std::string> labels;
  const FieldDescriptor& field = Field(resource, "labels");
  const auto& reflection = *resource.GetReflection();
  for (int i = 0; i < reflection.FieldSize(resource, &field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(resource, &field, i);
    labels[TextOf(entry, "key")] = TextOf(entry, "value");
  }
  return labels;
}

bool IsLabelKey(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '/' ||
           c == '-';
  });
}

bool HoldsControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

const std::string& TextOf(const Message& message, const char* field) {
  std::string scratch;
  const std::string& text =
      message.GetReflection()->GetStringReference(message, &Field(message, field), &scratch);
  TL_CHECK(&text != &scratch) << field;
  return text;
}

const std::string& NameOf(const Message& resource) { return TextOf(resource, "name"); }
const std::string& EtagOf(const Message& resource) { return TextOf(resource, "etag"); }

v1::Source SourceOf(const Message& resource) {
  return static_cast<v1::Source>(
      resource.GetReflection()->GetEnumValue(resource, &Field(resource, "source")));
}

void SetText(Message& message, const char* field, std::string text) {
  message.GetReflection()->SetString(&message, &Field(message, field), std::move(text));
}

std::string LegacyNameOf(const Message& resource) {
  const std::string& given = TextOf(resource, "legacy_name");
  return given.empty() ? std::string(ResourceId(NameOf(resource))) : given;
}

bool SameIntent(const Message& a, const Message& b) {
  google::protobuf::util::MessageDifferencer differencer;
  const google::protobuf::Descriptor& type = *a.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    if (!IsIntent(type.field(i)->name())) differencer.IgnoreField(type.field(i));
  }
  return differencer.Compare(a, b);
}

std::string MakeUuid(Random& random) {
  const uint64_t high = (random.Next() & ~uint64_t{0xf000}) | 0x4000;
  const uint64_t low = (random.Next() & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62);
  return absl::StrCat(absl::Hex(high >> 32, absl::kZeroPad8), "-",
                      absl::Hex((high >> 16) & 0xffff, absl::kZeroPad4), "-",
                      absl::Hex(high & 0xffff, absl::kZeroPad4), "-",
                      absl::Hex(low >> 48, absl::kZeroPad4), "-",
                      absl::Hex(low & 0xffffffffffff, absl::kZeroPad12));
}

void CheckWords(const Message& resource, const std::string& path, std::vector<Problem>& problems) {
  const std::string& legacy_name = TextOf(resource, "legacy_name");
  const auto fail = [&](std::string_view field, std::string text) {
    problems.push_back({{}, Concat(path, ".", field), std::move(text)});
  };
  if (HoldsControl(legacy_name)) fail("legacy_name", "holds a control character");
  if (legacy_name.size() > kLegacyNameBytesMax) {
    fail("legacy_name", Concat(legacy_name.size(), " bytes are more than ", kLegacyNameBytesMax));
  }
  const auto labels = LabelsOf(resource);
  if (labels.size() > static_cast<size_t>(kLabelsMax)) {
    return fail("labels", Concat(labels.size(), " entries are more than ", kLabelsMax));
  }
  for (const auto& [key, value] : labels) {
    if (!IsLabelKey(key)) {
      fail("labels", Concat(Quote(key), " is not made of A-Z, a-z, 0-9 and \"._/-\""));
    } else if (key.size() > kLabelKeyBytesMax) {
      fail("labels", Concat("the key ", Quote(key), " is longer than ", kLabelKeyBytesMax));
    }
    if (value.size() > kLabelValueBytesMax || HoldsControl(value)) {
      fail("labels", Concat("the value of ", Quote(key), " is longer than ", kLabelValueBytesMax,
                            " bytes or holds a control character"));
    }
  }
}

}  // namespace trunkline::config
