#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/document.h"
#include "google/protobuf/message.h"

namespace trunkline::config {

// One of the maps of a Document, without the type of its resources: what is the same for every kind
// is written once, by descriptors. Immutable; any thread.
class Collection {
 public:
  using Message = google::protobuf::Message;

  // Of the map `member`, which is called `section` in YAML and in the paths of problems.
  template <typename Resource>
  static Collection Of(std::string section, std::map<std::string, Resource> Document::*member);

  const std::string& name() const { return name_; }        // "tlsProfiles"
  const std::string& title() const { return title_; }      // "TLS profile"
  const std::string& section() const { return section_; }  // "tls_profiles"
  const google::protobuf::Descriptor& type() const { return *prototype_->GetDescriptor(); }
  const Message& prototype() const { return *prototype_; }

  // Null: there is none.
  const Message* Find(const Document& document, std::string_view id) const {
    return find_(document, id);
  }
  // Adds the resource, or puts it in the place of the one with its name. REQUIRES: is of this type.
  void Put(Document& document, const Message& resource) const { put_(document, resource); }
  // False: there was none.
  bool Erase(Document& document, std::string_view id) const { return erase_(document, id); }
  // Calls `visit` for every resource, in order of ids.
  void ForEach(
      const Document& document,
      const std::function<void(const std::string& id, const Message& resource)>& visit) const {
    for_each_(document, visit);
  }
  size_t Size(const Document& document) const { return size_(document); }
  // In order.
  std::vector<std::string> Ids(const Document& document) const;

 private:
  using Visitor = std::function<void(const std::string& id, const Message& resource)>;
  Collection(const Message& prototype, std::string section);

  const Message* prototype_;
  std::string name_;
  std::string title_;
  std::string section_;
  std::function<const Message*(const Document&, std::string_view)> find_;
  std::function<void(Document&, const Message&)> put_;
  std::function<bool(Document&, std::string_view)> erase_;
  std::function<void(const Document&, const Visitor&)> for_each_;
  std::function<size_t(const Document&)> size_;
};

// All of them.
const std::vector<Collection>& Collections();
// "tlsProfiles"; null: there is none of this name.
const Collection* FindCollection(std::string_view name);
// Of the resources of this type; null: it is no resource.
const Collection* FindCollection(const google::protobuf::Descriptor& type);
// "listeners[amqp]", as problems have it → "listeners/amqp"; what is no path of a resource stays as
// it is.
std::string NameOfPath(const std::string& path);
// "tlsProfiles/service" → that of TLS profiles; null: the name belongs to none.
const Collection* CollectionOfName(std::string_view resource_name);

}  // namespace trunkline::config
