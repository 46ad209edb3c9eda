#include "control/config/resource.h"

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "control/config/document.h"
#include "control/config/text.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
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

// The bytes of a message, always the same for the same content.
std::string Canonical(const Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

// The caller's part of a resource alone, as bytes.
std::string Intent(const Message& resource) {
  const std::unique_ptr<Message> copy(resource.New());
  copy->CopyFrom(resource);
  std::vector<const FieldDescriptor*> told;
  const auto& reflection = *copy->GetReflection();
  reflection.ListFields(*copy, &told);
  for (const FieldDescriptor* field : told) {
    const bool kept = std::any_of(std::begin(kIntentFields), std::end(kIntentFields),
                                  [&](const char* name) { return field->name() == name; });
    if (!kept) reflection.ClearField(copy.get(), field);
  }
  return Canonical(*copy);
}

// FNV-1a: of operators' own words, not of an enemy's.
uint64_t Hash(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

void SetTime(Message& resource, const char* field, const google::protobuf::Timestamp& time) {
  resource.GetReflection()->MutableMessage(&resource, &Field(resource, field))->CopyFrom(time);
}

int64_t GenerationOf(const Message& resource) {
  return resource.GetReflection()->GetInt64(resource, &Field(resource, "generation"));
}

bool SameSpec(const Message& a, const Message& b) {
  const auto& field = Field(a, "spec");
  const auto& reflection = *a.GetReflection();
  return Canonical(reflection.GetMessage(a, &field)) == Canonical(reflection.GetMessage(b, &field));
}

void CopyField(const Message& from, const char* name, Message& to) {
  const auto& reflection = *from.GetReflection();
  const FieldDescriptor& field = Field(from, name);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    reflection.SetString(&to, &field, reflection.GetString(from, &field));
  } else if (reflection.HasField(from, &field)) {
    reflection.MutableMessage(&to, &field)->CopyFrom(reflection.GetMessage(from, &field));
  } else {
    reflection.ClearField(&to, &field);
  }
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

bool SameIntent(const Message& a, const Message& b) { return Intent(a) == Intent(b); }

std::string MakeEtag(const Message& resource) {
  return absl::StrCat(absl::Hex(Hash(Intent(resource)), absl::kZeroPad16));
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

void StampResource(const Message* before, const Stamp& stamp, Random& random, Message& resource) {
  const auto& reflection = *resource.GetReflection();
  if (const auto* status = resource.GetDescriptor()->FindFieldByName("status")) {
    reflection.ClearField(&resource, status);
  }
  const FieldDescriptor& generation = Field(resource, "generation");
  reflection.SetEnumValue(&resource, &Field(resource, "source"), stamp.source);
  SetText(resource, "etag", MakeEtag(resource));
  if (before == nullptr) {
    SetText(resource, "uid", MakeUuid(random));
    reflection.SetInt64(&resource, &generation, 1);
    SetTime(resource, "create_time", stamp.now);
    SetTime(resource, "update_time", stamp.now);
    return;
  }
  CopyField(*before, "uid", resource);
  CopyField(*before, "create_time", resource);
  const int64_t changes = SameSpec(*before, resource) ? 0 : 1;
  reflection.SetInt64(&resource, &generation, GenerationOf(*before) + changes);
  if (SameIntent(*before, resource)) {
    CopyField(*before, "update_time", resource);
  } else {
    SetTime(resource, "update_time", stamp.now);
  }
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
