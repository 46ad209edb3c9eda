#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "control/api/call.h"
#include "control/api/resource_store.h"
#include "control/config/document.h"

namespace trunkline::api {

// What is in the file that a connector names as its password is sent to the host that it names. So
// who chooses one of the two may have any small file of the router's sent to himself: that is for
// admins, whatever role the method is for.

// OK if the caller may have `connector`, of which `before` is what it was (null: it is new), with
// its spec at `path` of the request. Whoever may change connectors switches them on and off.
// PermissionDenied (ROLE_REQUIRED) with the field.
absl::Status CheckPasswordFile(const Call& call, const v1::Connector* before,
                               const v1::Connector& connector, const std::string& path);

// `edit`, and the check of what it makes of connector `id`.
ResourceStore::Change WithPasswordFileChecked(std::shared_ptr<Call> call, const std::string& id,
                                              ResourceStore::Change edit);

}  // namespace trunkline::api
