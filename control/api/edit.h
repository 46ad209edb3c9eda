#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/api/draft.h"
#include "control/config/collection.h"
#include "control/config/document.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/message.h"
#include "router/base/random.h"

namespace trunkline::api {

// What Create, Update and Delete mean for the resources made over the API: which are refused and
// why, and what becomes of the draft. Pure, but for the ids it makes up. What concerns the document
// as a whole is the store's to refuse.

// Where a resource of some kind is handled.
struct Scope {
  const config::Collection* collection = nullptr;
  std::string field;  // the resource in the request, "listener"
  // Where the file says it, for people: "/etc/trunkline.yaml:12". Empty: there is no file.
  std::function<std::string(const std::string& id)> place_of;
};

// The id in `name`, "listeners/amqp". InvalidArgument with a violation of `path`: it is no such.
absl::StatusOr<std::string> IdOf(const config::Collection& collection, const std::string& name,
                                 const std::string& path);
// The id of a resource to be created: `given`, or made from its legacy_name, or made up.
// InvalidArgument with a violation: `given` can be none.
absl::StatusOr<std::string> ChooseId(const Scope& scope, const google::protobuf::Message& resource,
                                     const std::string& given, Random& random);

// NotFound, "LISTENER_NOT_FOUND": says which there are, if that is given.
absl::Status NotFound(const config::Collection& collection, const std::string& id,
                      const std::optional<std::vector<std::string>>& known);

// The id in `name`, of one that there is. As IdOf; NotFound, with a violation of `path`.
absl::StatusOr<std::string> FindId(const config::Collection& collection,
                                   const config::Document& document, const std::string& name,
                                   const std::string& path);

// Adds `given` as `id`. One that is there already with the same intent stays as it is;
// AlreadyExists if it has another.
absl::Status Create(const Scope& scope, const std::string& id,
                    const google::protobuf::Message& given, Draft& draft);

struct Update {
  const google::protobuf::Message* given = nullptr;  // its etag too
  google::protobuf::FieldMask mask;
  bool allow_missing = false;
};
// Changes the one of this id as mask.h says. NotFound; Aborted (ETAG_MISMATCH); FailedPrecondition
// (READ_ONLY_SOURCE) unless nothing would change.
absl::Status Apply(const Scope& scope, const std::string& id, const Update& update, Draft& draft);

struct Delete {
  std::string etag;
  bool allow_missing = false;
};
// Takes it away. As Apply; and FailedPrecondition (IN_USE): others name it.
absl::Status Remove(const Scope& scope, const std::string& id, const Delete& wanted, Draft& draft);

}  // namespace trunkline::api
