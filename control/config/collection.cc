#include "control/config/collection.h"

#include "proto/trunkline/control/v1/options.pb.h"
#include "router/base/check.h"

namespace trunkline::config {

Collection::Collection(const Message& prototype, std::string section)
    : prototype_(&prototype), section_(std::move(section)) {
  const v1::ResourceRules& rules = type().options().GetExtension(v1::resource);
  TL_CHECK(!rules.collection().empty()) << type().full_name() << " is no resource";
  name_ = rules.collection();
  title_ = rules.title();
}

template <typename Resource>
Collection Collection::Of(std::string section, std::map<std::string, Resource> Document::*member) {
  Collection made(Resource::default_instance(), std::move(section));
  made.find_ = [member](const Document& document, std::string_view id) -> const Message* {
    const auto found = (document.*member).find(std::string(id));
    return found == (document.*member).end() ? nullptr : &found->second;
  };
  made.put_ = [member](Document& document, const Message& resource) {
    TL_CHECK(resource.GetDescriptor() == Resource::descriptor()) << resource.GetTypeName();
    const auto& typed = static_cast<const Resource&>(resource);
    (document.*member)[std::string(ResourceId(typed.name()))] = typed;
  };
  made.erase_ = [member](Document& document, std::string_view id) {
    return (document.*member).erase(std::string(id)) > 0;
  };
  made.for_each_ = [member](const Document& document, const Visitor& visit) {
    for (const auto& [id, resource] : document.*member) visit(id, resource);
  };
  made.size_ = [member](const Document& document) { return (document.*member).size(); };
  return made;
}

std::vector<std::string> Collection::Ids(const Document& document) const {
  std::vector<std::string> ids;
  ids.reserve(Size(document));
  ForEach(document, [&](const std::string& id, const Message&) { ids.push_back(id); });
  return ids;
}

const std::vector<Collection>& Collections() {
  static const std::vector<Collection> all = {
      Collection::Of("listeners", &Document::listeners),
      Collection::Of("connectors", &Document::connectors),
      Collection::Of("tls_profiles", &Document::tls_profiles),
      Collection::Of("user_stores", &Document::user_stores),
      Collection::Of("addresses", &Document::addresses),
  };
  return all;
}

const Collection* FindCollection(std::string_view name) {
  for (const Collection& each : Collections()) {
    if (each.name() == name) return &each;
  }
  return nullptr;
}

const Collection* FindCollection(const google::protobuf::Descriptor& type) {
  for (const Collection& each : Collections()) {
    if (&each.type() == &type) return &each;
  }
  return nullptr;
}

std::string NameOfPath(const std::string& path) {
  const size_t open = path.find('[');
  if (open == std::string::npos || path.back() != ']') return path;
  for (const Collection& collection : Collections()) {
    if (collection.section() != path.substr(0, open)) continue;
    return ResourceName(collection.name(), path.substr(open + 1, path.size() - open - 2));
  }
  return path;
}

const Collection* CollectionOfName(std::string_view resource_name) {
  const size_t slash = resource_name.find('/');
  return slash == std::string_view::npos ? nullptr : FindCollection(resource_name.substr(0, slash));
}

}  // namespace trunkline::config
