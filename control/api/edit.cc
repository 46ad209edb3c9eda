#include "control/api/edit.h"

#include <map>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "control/api/kind.h"
#include "control/api/mask.h"
#include "control/config/error_details.h"
#include "control/config/resource.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using config::Collection;
using config::Concat;
using config::Document;
using config::Quote;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// So many names are told in an error; answers are of bounded size.
constexpr size_t kNamesToldMax = 20;
constexpr size_t kNameBytesTold = 80;
constexpr size_t kMadeUpBytes = 8;

std::string Told(std::vector<std::string> names) {
  const bool all = names.size() <= kNamesToldMax;
  if (!all) names.resize(kNamesToldMax);
  for (std::string& name : names) name = config::Shorten(name, kNameBytesTold);
  return absl::StrJoin(names, ", ") + (all ? "" : ", …");
}

absl::Status Violation(const std::string& path, const std::string& why) {
  return config::WithViolations(absl::InvalidArgumentError(Concat(path, ": ", why)), {{path, why}});
}

// Whether what the resource names is there.
absl::Status CheckReferences(const Scope& scope, const Message& resource, Draft& draft) {
  absl::Status status;
  ForEachReference(
      MessageOf(resource, "spec"), Concat(scope.field, ".spec"),
      [&](const std::string& path, const std::string& name, const std::string& collection_name) {
        const Collection* collection = config::FindCollection(collection_name);
        if (!status.ok() || collection == nullptr) return;
        const std::string id(config::ResourceId(name));
        const bool named = name == config::ResourceName(collection_name, id);
        if (named && draft.Find(*collection, id) != nullptr) return;
        status = NotFound(*collection, id, draft.IdsToTell(*collection));
        const std::string why =
            named ? Concat("there is no ", collection->title(), " ", Quote(id))
                  : Concat("is not of the form ", Quote(collection_name + "/{id}"));
        status = config::WithViolations(std::move(status), {{path, why}});
      });
  return status;
}

// Nobody else may be known by the same name.
absl::Status CheckLegacyName(const Scope& scope, const Message& resource, Draft& draft) {
  const std::string name = config::LegacyNameOf(resource);
  const std::string other = draft.OtherOfLegacyName(*scope.collection, resource);
  if (other.empty()) return absl::OkStatus();
  const std::string text =
      Concat(Quote(name), " is the name of ", scope.collection->title(), " ", Quote(other));
  absl::Status status = config::WithReason(
      absl::AlreadyExistsError(text), "LEGACY_NAME_IN_USE",
      {{"resource_name", config::ResourceName(scope.collection->name(), other)}});
  return config::WithViolations(std::move(status), {{scope.field + ".legacy_name", text}});
}

// All that a resource must be before it is put into the draft.
absl::Status CheckResource(const Scope& scope, const Message& resource, Draft& draft) {
  std::vector<config::Problem> problems;
  config::CheckWords(resource, scope.field, problems);
  if (!problems.empty()) {
    std::vector<config::FieldViolation> violations;
    for (const config::Problem& each : problems) violations.push_back({each.path, each.text});
    return config::WithViolations(
        absl::InvalidArgumentError(Concat(problems[0].path, ": ", problems[0].text)), violations);
  }
  TL_RETURN_IF_ERROR(CheckReferences(scope, resource, draft));
  return CheckLegacyName(scope, resource, draft);
}

absl::Status ReadOnly(const Scope& scope, const std::string& id) {
  const std::string place = scope.place_of(id);
  const std::string where =
      place.empty() ? "is there because trunkd was started without a configuration file"
                    : Concat("comes from ", place, "; change it there, the file is read again");
  return config::WithReason(
      absl::FailedPreconditionError(Concat(scope.collection->title(), " ", Quote(id), " ", where)),
      "READ_ONLY_SOURCE",
      {{"resource_name", config::ResourceName(scope.collection->name(), id)}, {"place", place}});
}

absl::Status CheckEtag(const Scope& scope, const std::string& id, const std::string& wanted,
                       const std::string& current) {
  if (wanted.empty() || wanted == current) return absl::OkStatus();
  return config::WithReason(
      absl::AbortedError(Concat(
          scope.collection->title(), " ", Quote(id),
          current.empty() ? " is not there any more" : " has been changed meanwhile: its etag is ",
          current, "; read it again")),
      "ETAG_MISMATCH",
      {{"resource_name", config::ResourceName(scope.collection->name(), id)},
       {"current_etag", current}});
}

absl::Status InUse(const Scope& scope, const std::string& id,
                   std::vector<config::Precondition> users) {
  std::vector<std::string> names;
  for (const config::Precondition& user : users) names.push_back(user.subject);
  if (users.size() > kNamesToldMax) users.resize(kNamesToldMax);
  absl::Status status = absl::FailedPreconditionError(
      Concat(scope.collection->title(), " ", Quote(id), " is used by ", Told(names)));
  status =
      config::WithReason(std::move(status), "IN_USE",
                         {{"resource_name", config::ResourceName(scope.collection->name(), id)}});
  return config::WithPreconditions(std::move(status), users);
}

// Whether a resource may have this id: one that people choose, or that its legacy_name gives.
absl::Status CheckId(const Message& resource, const std::string& id, const std::string& path) {
  const std::string& legacy_name = config::TextOf(resource, "legacy_name");
  if (config::IsResourceId(id)) return absl::OkStatus();
  if (!legacy_name.empty() && id == config::DeriveId(legacy_name)) return absl::OkStatus();
  return Violation(path, Concat(Quote(id),
                                " is not 1 to 63 of a-z, 0-9, \".\" and \"-\", with a letter or "
                                "digit at both ends"));
}

// A resource with nothing in it but what a caller may give.
std::unique_ptr<Message> Given(const Scope& scope, const std::string& id, const Message& given) {
  std::unique_ptr<Message> resource(scope.collection->prototype().New());
  google::protobuf::FieldMask all;
  all.add_paths("*");
  // "*" is a mask of every kind.
  ApplyMask(all, given, *resource).IgnoreError();
  resource->DiscardUnknownFields();
  config::SetText(*resource, "name", config::ResourceName(scope.collection->name(), id));
  return resource;
}

}  // namespace

absl::StatusOr<std::string> IdOf(const Collection& collection, const std::string& name,
                                 const std::string& path) {
  if (name.empty()) return Violation(path, "is required");
  const std::string id(config::ResourceId(name));
  if (name != config::ResourceName(collection.name(), id) || id.empty()) {
    return Violation(
        path, Concat(Quote(name), " is not of the form ", Quote(collection.name() + "/{id}")));
  }
  return id;
}

absl::StatusOr<std::string> ChooseId(const Scope& scope, const Message& resource,
                                     const std::string& given, Random& random) {
  const std::string& legacy_name = config::TextOf(resource, "legacy_name");
  if (given.empty() && !legacy_name.empty()) return config::DeriveId(legacy_name);
  if (given.empty()) {
    std::string word = absl::AsciiStrToLower(Kind::WordOf(*scope.collection));
    for (char& c : word) c = c == '_' ? '-' : c;
    return Concat(word, "-", config::MakeUuid(random).substr(0, kMadeUpBytes));
  }
  TL_RETURN_IF_ERROR(CheckId(resource, given, scope.field + "_id"));
  return given;
}

absl::Status NotFound(const Collection& collection, const std::string& id,
                      const std::optional<std::vector<std::string>>& known) {
  std::string text = Concat("there is no ", collection.title(), " ", Quote(id));
  std::map<std::string, std::string> metadata = {
      {"resource_type", collection.title()},
      {"resource_name",
       config::ResourceName(collection.name(), config::Shorten(id, kNameBytesTold))}};
  if (known) {
    text += config::DidYouMean(id, *known);
    metadata["known"] = Told(*known);
  }
  return config::WithReason(absl::NotFoundError(text),
                            Concat(Kind::WordOf(collection), "_NOT_FOUND"), metadata);
}

absl::StatusOr<std::string> FindId(const Collection& collection, const Document& document,
                                   const std::string& name, const std::string& path) {
  TL_ASSIGN_OR_RETURN(std::string id, IdOf(collection, name, path));
  if (collection.Find(document, id) != nullptr) return id;
  const absl::Status status = NotFound(collection, id, collection.Ids(document));
  return config::WithViolations(
      status, {{path, Concat("there is no ", collection.title(), " ", Quote(id))}});
}

absl::Status Create(const Scope& scope, const std::string& id, const Message& given, Draft& draft) {
  const std::unique_ptr<Message> resource = Given(scope, id, given);
  if (const Message* there = draft.Find(*scope.collection, id)) {
    if (config::SameIntent(*there, *resource)) return absl::OkStatus();
    return config::WithReason(
        absl::AlreadyExistsError(Concat(scope.collection->title(), " ", Quote(id),
                                        " is there already, and is another; its etag is ",
                                        config::EtagOf(*there))),
        Kind::WordOf(*scope.collection) + "_EXISTS",
        {{"resource_name", config::NameOf(*there)}, {"current_etag", config::EtagOf(*there)}});
  }
  TL_RETURN_IF_ERROR(CheckResource(scope, *resource, draft));
  draft.Put(*scope.collection, *resource);
  return absl::OkStatus();
}

absl::Status Apply(const Scope& scope, const std::string& id, const Update& update, Draft& draft) {
  const std::string& etag = config::EtagOf(*update.given);
  const Message* there = draft.Find(*scope.collection, id);
  if (there == nullptr) {
    if (!update.allow_missing) {
      return NotFound(*scope.collection, id, draft.IdsToTell(*scope.collection));
    }
    TL_RETURN_IF_ERROR(CheckEtag(scope, id, etag, ""));
    TL_RETURN_IF_ERROR(CheckId(*update.given, id, scope.field + ".name"));
    return Create(scope, id, *update.given, draft);
  }
  TL_RETURN_IF_ERROR(CheckEtag(scope, id, etag, config::EtagOf(*there)));
  const std::unique_ptr<Message> changed(there->New());
  changed->CopyFrom(*there);
  TL_RETURN_IF_ERROR(ApplyMask(update.mask, *update.given, *changed));
  changed->DiscardUnknownFields();
  if (config::SameIntent(*there, *changed)) return absl::OkStatus();
  if (scope.collection->Find(draft.file(), id) != nullptr) return ReadOnly(scope, id);
  TL_RETURN_IF_ERROR(CheckResource(scope, *changed, draft));
  draft.Put(*scope.collection, *changed);
  return absl::OkStatus();
}

absl::Status Remove(const Scope& scope, const std::string& id, const Delete& wanted, Draft& draft) {
  const Message* there = draft.Find(*scope.collection, id);
  if (there == nullptr) {
    if (wanted.allow_missing) return absl::OkStatus();
    return NotFound(*scope.collection, id, draft.IdsToTell(*scope.collection));
  }
  TL_RETURN_IF_ERROR(CheckEtag(scope, id, wanted.etag, config::EtagOf(*there)));
  if (scope.collection->Find(draft.file(), id) != nullptr) return ReadOnly(scope, id);
  auto users = draft.UsersOf(config::ResourceName(scope.collection->name(), id));
  if (!users.empty()) return InUse(scope, id, std::move(users));
  draft.Erase(*scope.collection, id);
  return absl::OkStatus();
}

}  // namespace trunkline::api
