#include "control/store/layers.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_format.h"
#include "control/config/text.h"
#include "control/config/translate.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/util/time_util.h"

namespace trunkline::store {
namespace {

using config::Collection;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// What the router tells of a resource.
constexpr const char* kToldFields[] = {"uid",         "etag",   "generation", "create_time",
                                       "update_time", "source", "status"};

// The rest of the router's spec needs a restart.
constexpr const char* kRouterFields[] = {"default_distribution", "max_connections", "drain_timeout",
                                         "memory_budget_bytes", "watch_config"};

std::vector<const FieldDescriptor*> SetFieldsOf(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

// Null: not every kind has a status.
const FieldDescriptor* FieldOf(const Message& resource, const char* name) {
  return resource.GetDescriptor()->FindFieldByName(name);
}

void ClearTold(Message& resource) {
  for (const char* name : kToldFields) {
    const FieldDescriptor* const field = FieldOf(resource, name);
    if (field != nullptr) resource.GetReflection()->ClearField(&resource, field);
  }
}

// The same bytes for the same message, maps included.
std::string Bytes(const Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

// FNV-1a, which is the same in every process.
uint64_t HashOf(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::shared_ptr<const Message> Copy(const Message& resource) {
  std::shared_ptr<Message> copy(resource.New());
  copy->CopyFrom(resource);
  return copy;
}

bool IsSameSpec(const Message& a, const Message& b) {
  const auto* const spec = a.GetDescriptor()->FindFieldByName("spec");
  return google::protobuf::util::MessageDifferencer::Equals(a.GetReflection()->GetMessage(a, spec),
                                                            b.GetReflection()->GetMessage(b, spec));
}

// Takes over what `before` carries in this field.
void CopyField(const Message& before, const char* field, Message& resource) {
  std::unique_ptr<Message> copy(before.New());
  copy->CopyFrom(before);
  resource.GetReflection()->SwapFields(&resource, copy.get(), {FieldOf(resource, field)});
}

void SetTime(Message& resource, const char* field, int64_t milliseconds) {
  resource.GetReflection()
      ->MutableMessage(&resource, FieldOf(resource, field))
      ->CopyFrom(google::protobuf::util::TimeUtil::MillisecondsToTimestamp(milliseconds));
}

// One resource, of which `before` is what it was; null: it is new.
void StampOne(const Message* before, const Stamp& stamp, Message& resource) {
  if (before != nullptr && config::SameIntent(*before, resource)) {
    resource.CopyFrom(*before);
    return;
  }
  const google::protobuf::Reflection& reflection = *resource.GetReflection();
  ClearTold(resource);
  config::SetText(resource, "etag", MakeEtag(resource));
  reflection.SetEnumValue(&resource, FieldOf(resource, "source"), stamp.source);
  SetTime(resource, "update_time", stamp.now);
  const FieldDescriptor* const generation = FieldOf(resource, "generation");
  if (before == nullptr) {
    if (stamp.random != nullptr) {
      config::SetText(resource, "uid", config::MakeUuid(*stamp.random));
    }
    reflection.SetInt64(&resource, generation, 1);
    SetTime(resource, "create_time", stamp.now);
    return;
  }
  CopyField(*before, "uid", resource);
  CopyField(*before, "create_time", resource);
  const int64_t last = before->GetReflection()->GetInt64(*before, generation);
  reflection.SetInt64(&resource, generation, IsSameSpec(*before, resource) ? last : last + 1);
}

v1::Impact ImpactOfChange(const v1::Listener& was, const v1::Listener& is) {
  if (!config::IsEnabled(was) && !config::IsEnabled(is)) return v1::IMPACT_NONE;
  // Nobody is moved by what begins or ends to listen.
  if (!config::IsEnabled(was) || !config::IsEnabled(is)) return v1::IMPACT_NEW_CONNECTIONS;
  const ListenerSpec before = config::ToSpec(was);
  const ListenerSpec after = config::ToSpec(is);
  const bool moved = before.host != after.host || before.port != after.port ||
                     before.socket_family != after.socket_family;
  return moved ? v1::IMPACT_REBIND : v1::IMPACT_NEW_CONNECTIONS;
}

v1::Impact ImpactOfChange(const v1::Connector& was, const v1::Connector& is) {
  if (config::IsEnabled(was)) return v1::IMPACT_RECONNECT;
  return config::IsEnabled(is) ? v1::IMPACT_NEW_CONNECTIONS : v1::IMPACT_NONE;
}

}  // namespace

bool IsSetOverApi(const FieldDescriptor& field) {
  return field.containing_type() == v1::RouterSpec::descriptor() &&
         std::find(std::begin(kRouterFields), std::end(kRouterFields), field.name()) !=
             std::end(kRouterFields);
}

config::Document Merge(const config::Document& file, const config::Document& made,
                       std::vector<config::Problem>& problems) {
  config::Document both = file;
  for (const FieldDescriptor* field : SetFieldsOf(made.router)) {
    if (!file.router.GetReflection()->HasField(file.router, field)) continue;
    problems.push_back({{},
                        config::Concat("router.", field->name()),
                        config::Concat("is set over the API already; put it back there first "
                                       "(trunkctl set router ",
                                       field->name(), "=), or leave it out here")});
  }
  both.router.MergeFrom(made.router);
  both.inline_certificates = made.inline_certificates;
  both.built_in_users = made.built_in_users;
  for (const Collection& collection : config::Collections()) {
    collection.ForEach(made, [&](const std::string& id, const Message& resource) {
      if (collection.Find(file, id) != nullptr) {
        problems.push_back({{},
                            config::Concat(collection.section(), "[", id, "]"),
                            config::Concat("there is a ", collection.title(),
                                           " of this name already, made over the API; delete that "
                                           "one first, or choose another name")});
        return;
      }
      collection.Put(both, resource);
    });
  }
  return both;
}

std::vector<Difference> Differences(const config::Document& before, const config::Document& after) {
  std::vector<Difference> differences;
  for (const Collection& collection : config::Collections()) {
    std::map<std::string, Difference> by_id;
    collection.ForEach(before, [&](const std::string& id, const Message& resource) {
      if (collection.Find(after, id) == nullptr) {
        by_id[id] = {&collection, id, Copy(resource), nullptr};
      }
    });
    collection.ForEach(after, [&](const std::string& id, const Message& resource) {
      const Message* const old = collection.Find(before, id);
      if (old != nullptr && config::EtagOf(*old) == config::EtagOf(resource) &&
          config::TextOf(*old, "uid") == config::TextOf(resource, "uid")) {
        return;
      }
      by_id[id] = {&collection, id, old == nullptr ? nullptr : Copy(*old), Copy(resource)};
    });
    for (auto& [id, difference] : by_id) differences.push_back(std::move(difference));
  }
  return differences;
}

v1::Router RouterOf(const config::Document& file, const config::Document& both) {
  v1::Router router;
  router.set_name("router");
  *router.mutable_spec() = both.router;
  router.set_etag(MakeEtag(router));
  for (const FieldDescriptor* field : SetFieldsOf(both.router)) {
    if (file.router.GetReflection()->HasField(file.router, field)) continue;
    router.mutable_set_over_api()->add_paths(field->name());
  }
  return router;
}

std::string MakeEtag(const Message& resource) {
  std::unique_ptr<Message> given(resource.New());
  given->CopyFrom(resource);
  ClearTold(*given);
  return absl::StrFormat("%016x", HashOf(Bytes(*given)));
}

void StampLayer(const config::Document& before, const Stamp& stamp, config::Document& after) {
  for (const Collection& collection : config::Collections()) {
    for (const std::string& id : collection.Ids(after)) {
      std::unique_ptr<Message> resource(collection.prototype().New());
      resource->CopyFrom(*collection.Find(after, id));
      StampOne(collection.Find(before, id), stamp, *resource);
      collection.Put(after, *resource);
    }
  }
}

void ForgetUsers(const config::Document& file, config::Document& made) {
  std::erase_if(made.built_in_users, [&](const auto& users) {
    for (const config::Document* layer : {&file, static_cast<const config::Document*>(&made)}) {
      const auto found = layer->user_stores.find(users.first);
      if (found != layer->user_stores.end() && found->second.spec().built_in()) return false;
    }
    return true;
  });
}

void ForgetInline(const config::Document& before, config::Document& after) {
  std::erase_if(after.inline_certificates, [&](const auto& given) {
    const auto found = after.tls_profiles.find(given.first);
    if (found == after.tls_profiles.end()) return true;
    const auto old = before.tls_profiles.find(given.first);
    if (old == before.tls_profiles.end()) return false;
    const v1::TlsProfileSpec& was = old->second.spec();
    const v1::TlsProfileSpec& is = found->second.spec();
    return was.certificate_file() != is.certificate_file() ||
           was.private_key_file() != is.private_key_file() || was.ca_file() != is.ca_file();
  });
}

v1::Impact ImpactOf(const Difference& difference) {
  const auto& [collection, id, before, after] = difference;
  if (before == nullptr || after == nullptr) return v1::IMPACT_NEW_CONNECTIONS;
  if (IsSameSpec(*before, *after)) return v1::IMPACT_NONE;
  if (collection->name() == config::kListeners) {
    return ImpactOfChange(static_cast<const v1::Listener&>(*before),
                          static_cast<const v1::Listener&>(*after));
  }
  if (collection->name() == config::kConnectors) {
    return ImpactOfChange(static_cast<const v1::Connector&>(*before),
                          static_cast<const v1::Connector&>(*after));
  }
  return v1::IMPACT_NEW_CONNECTIONS;
}

v1::Impact ImpactOf(const v1::RouterSpec& before, const v1::RouterSpec& after) {
  const bool serves_alike = before.default_distribution() == after.default_distribution() &&
                            before.max_connections() == after.max_connections();
  return serves_alike ? v1::IMPACT_NONE : v1::IMPACT_NEW_CONNECTIONS;
}

}  // namespace trunkline::store
