#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/cli/channel.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// Routers that have names here: $XDG_CONFIG_HOME/trunkline/contexts.yaml, or
// ~/.config/trunkline/contexts.yaml.
//
//   current: east
//   contexts:
//     east: {endpoint: "east.example:9443", tls_cert: me.crt, tls_key: me.key, tls_ca: ca.crt}
//
// Relative names of files start at its folder. It says whom to trust and where keys are, so it is
// not read where others may read or write it.

// Of the context `name`; empty: of the one in use. An empty Endpoint: none is in use. NotFound:
// there is none of this name; FailedPrecondition: the file may not be trusted; what reading it
// gives.
absl::StatusOr<Endpoint> EndpointOfContext(const std::string& name);

absl::Status ListContexts(Session& session);   // context list
absl::Status UseContext(Session& session);     // context use NAME
absl::Status SetContext(Session& session);     // context set NAME --endpoint ADDRESS …
absl::Status DeleteContext(Session& session);  // context delete NAME

}  // namespace trunkline::cli
