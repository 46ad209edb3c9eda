#include "control/api/draft.h"

#include <algorithm>

#include "control/config/resource.h"
#include "control/config/schema.h"
#include "control/config/text.h"

namespace trunkline::api {
namespace {

using config::Collection;
using config::Concat;
using config::Document;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int kTimesToldMax = 20;

const Message& SpecOf(const Message& resource) {
  const FieldDescriptor* field = resource.GetDescriptor()->FindFieldByName("spec");
  return resource.GetReflection()->GetMessage(resource, field);
}

// Each kind has names of its own.
std::string LegacyKey(const Collection& collection, const Message& resource) {
  return Concat(collection.name(), "/", config::LegacyNameOf(resource));
}

template <typename Index, typename Entry>
void Change(Index& index, const std::string& key, Entry entry, bool is_there) {
  if (is_there) {
    index[key].insert(std::move(entry));
  } else if (const auto found = index.find(key); found != index.end()) {
    found->second.erase(entry);
    if (found->second.empty()) index.erase(found);
  }
}

}  // namespace

void ForEachReference(const Message& message, const std::string& path,
                      const std::function<void(const std::string& path, const std::string& name,
                                               const std::string& collection)>& visit) {
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string at = Concat(path, ".", field->name());
    const std::string& reference = config::RulesOf(*field).reference();
    if (field->is_repeated()) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      ForEachReference(reflection.GetMessage(message, field), at, visit);
    } else if (!reference.empty()) {
      visit(at, reflection.GetString(message, field), reference);
    }
  }
}

std::optional<std::vector<std::string>> Draft::IdsToTell(const Collection& collection) {
  if (told_ == kTimesToldMax) return std::nullopt;
  ++told_;
  std::vector<std::string> ids = collection.Ids(file_);
  for (std::string& id : collection.Ids(made_)) ids.push_back(std::move(id));
  std::sort(ids.begin(), ids.end());
  return ids;
}

const Message* Draft::Find(const Collection& collection, const std::string& id) const {
  const Message* found = collection.Find(file_, id);
  return found != nullptr ? found : collection.Find(made_, id);
}

void Draft::Put(const Collection& collection, const Message& resource) {
  const std::string id(config::ResourceId(config::NameOf(resource)));
  if (const Message* before = collection.Find(made_, id)) Note(collection, *before, Is::kGone);
  collection.Put(made_, resource);
  Note(collection, resource, Is::kThere);
}

void Draft::Erase(const Collection& collection, const std::string& id) {
  if (const Message* before = collection.Find(made_, id)) Note(collection, *before, Is::kGone);
  collection.Erase(made_, id);
}

std::string Draft::OtherOfLegacyName(const Collection& collection, const Message& resource) {
  if (!ids_by_legacy_name_) {
    ids_by_legacy_name_.emplace();
    for (const Collection& each : config::Collections()) {
      for (const Document* document : {&file_, &std::as_const(made_)}) {
        each.ForEach(*document, [&](const std::string&, const Message& one) {
          NoteLegacyName(each, one, Is::kThere);
        });
      }
    }
  }
  const auto found = ids_by_legacy_name_->find(LegacyKey(collection, resource));
  if (found == ids_by_legacy_name_->end()) return "";
  for (const std::string& id : found->second) {
    if (id != config::ResourceId(config::NameOf(resource))) return id;
  }
  return "";
}

std::vector<config::Precondition> Draft::UsersOf(const std::string& name) {
  if (!users_) {
    users_.emplace();
    for (const Collection& each : config::Collections()) {
      for (const Document* document : {&file_, &std::as_const(made_)}) {
        each.ForEach(*document, [&](const std::string&, const Message& one) {
          NoteReferences(one, Is::kThere);
        });
      }
    }
  }
  std::vector<config::Precondition> users;
  const auto found = users_->find(name);
  if (found == users_->end()) return users;
  for (const User& user : found->second) {
    users.push_back({"IN_USE", user.name, Concat(user.path, " names ", config::Quote(name))});
  }
  return users;
}

void Draft::Note(const Collection& collection, const Message& resource, Is is) {
  if (ids_by_legacy_name_) NoteLegacyName(collection, resource, is);
  if (users_) NoteReferences(resource, is);
}

void Draft::NoteLegacyName(const Collection& collection, const Message& resource, Is is) {
  Change(*ids_by_legacy_name_, LegacyKey(collection, resource),
         std::string(config::ResourceId(config::NameOf(resource))), is == Is::kThere);
}

void Draft::NoteReferences(const Message& resource, Is is) {
  ForEachReference(SpecOf(resource), "spec",
                   [&](const std::string& path, const std::string& name, const std::string&) {
                     Change(*users_, name, User{config::NameOf(resource), path}, is == Is::kThere);
                   });
}

}  // namespace trunkline::api
