#include "control/api/kind.h"

#include "absl/strings/ascii.h"
#include "google/protobuf/descriptor.h"
#include "router/base/check.h"

namespace trunkline::api {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldDescriptor& Field(const Message& message, const std::string& name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  TL_CHECK(field != nullptr) << message.GetTypeName() << " has no " << name;
  return *field;
}

// The field of `message` that holds resources of this type, one or many.
const FieldDescriptor* FieldOfType(const Descriptor& message, const Descriptor& type) {
  for (int i = 0; i < message.field_count(); ++i) {
    if (message.field(i)->message_type() == &type) return message.field(i);
  }
  return nullptr;
}

// Puts `method` where it belongs in the kind, if it is one of the six.
void Place(const Method& method, Kind& kind) {
  const Descriptor& type = kind.collection->type();
  const Descriptor& output = *method.descriptor->output_type();
  const bool of_many = FieldOfType(output, type) != nullptr;
  if (method.name == "Create" + type.name()) kind.create = &method;
  if (method.name == "Get" + type.name()) kind.get = &method;
  if (method.name == "Update" + type.name()) kind.update = &method;
  if (method.name == "Delete" + type.name()) kind.remove = &method;
  if (of_many && method.name.starts_with("List")) kind.list = &method;
  if (of_many && method.name.starts_with("Watch")) kind.watch = &method;
}

}  // namespace

std::string Kind::WordOf(const config::Collection& collection) {
  std::string word = absl::AsciiStrToUpper(collection.title());
  for (char& c : word) c = c == ' ' ? '_' : c;
  return word;
}

std::vector<Kind> FindKinds(const MethodTable& methods) {
  std::vector<Kind> kinds;
  for (const config::Collection& collection : config::Collections()) {
    Kind kind;
    kind.collection = &collection;
    for (const Method& method : methods.methods()) Place(method, kind);
    TL_CHECK(kind.create != nullptr && kind.get != nullptr && kind.list != nullptr &&
             kind.update != nullptr && kind.remove != nullptr && kind.watch != nullptr)
        << collection.name() << " lacks a method";
    const Descriptor& create = *kind.create->descriptor->input_type();
    kind.field = FieldOfType(create, collection.type())->name();
    kind.id_field = kind.field + "_id";
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

bool FlagOf(const Message& message, const char* field) {
  return message.GetReflection()->GetBool(message, &Field(message, field));
}

int32_t NumberOf(const Message& message, const char* field) {
  return message.GetReflection()->GetInt32(message, &Field(message, field));
}

bool HasMessage(const Message& message, const std::string& field) {
  return message.GetReflection()->HasField(message, &Field(message, field));
}

const Message& MessageOf(const Message& message, const std::string& field) {
  return message.GetReflection()->GetMessage(message, &Field(message, field));
}

Message& MutableMessageOf(Message& message, const std::string& field) {
  return *message.GetReflection()->MutableMessage(&message, &Field(message, field));
}

}  // namespace trunkline::api
