#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/config/collection.h"
#include "control/config/document.h"
#include "control/config/error_details.h"
#include "google/protobuf/message.h"

namespace trunkline::api {

// Calls `visit` for each field of `message`, and of messages in it, that names a resource; `path`
// is that of the message.
void ForEachReference(const google::protobuf::Message& message, const std::string& path,
                      const std::function<void(const std::string& path, const std::string& name,
                                               const std::string& collection)>& visit);

// The resources made over the API while a change is made to them, and who is named how among them
// and those of the configuration file. As many as there are may be changed in one go: nothing but
// the first question of a kind walks over all of them.
//
// Short-lived. Thread: control.
class Draft {
 public:
  using Message = google::protobuf::Message;

  // Both outlive us, and nobody else changes them meanwhile.
  Draft(const config::Document& file, config::Document& made) : file_(file), made_(made) {}
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  const config::Document& file() const { return file_; }
  const config::Document& made() const { return made_; }
  // The one of this id, in the file or made; null: there is none.
  const Message* Find(const config::Collection& collection, const std::string& id) const;

  void Put(const config::Collection& collection, const Message& resource);
  void Erase(const config::Collection& collection, const std::string& id);

  // The id of another one of this kind that is known by the legacy name of this one; empty: none.
  std::string OtherOfLegacyName(const config::Collection& collection, const Message& resource);
  // Resources that name this one, with the field that does, in order of their names.
  std::vector<config::Precondition> UsersOf(const std::string& name);
  // The ids that there are, sorted, for who is told that one is not; none for more than twenty:
  // nobody reads so many errors, and for each we would walk over all.
  std::optional<std::vector<std::string>> IdsToTell(const config::Collection& collection);

 private:
  enum class Is { kThere, kGone };
  void Note(const config::Collection& collection, const Message& resource, Is is);
  void NoteLegacyName(const config::Collection& collection, const Message& resource, Is is);
  void NoteReferences(const Message& resource, Is is);

  const config::Document& file_;
  config::Document& made_;
  int told_ = 0;  // how often IdsToTell was asked
  // Empty: nobody has asked so far.
  std::optional<std::map<std::string, std::set<std::string>>> ids_by_legacy_name_;
  struct User {
    std::string name;
    std::string path;  // of the field
    auto operator<=>(const User&) const = default;
  };
  std::optional<std::map<std::string, std::set<User>>> users_;  // by the name of who is used
};

}  // namespace trunkline::api
