#pragma once

#include "absl/status/status.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// Commands for what is connected, and where messages go.

absl::Status CloseOne(Session& session);        // close connection N, close link NAME
absl::Status DisableLink(Session& session);     // disable link NAME
absl::Status EnableLink(Session& session);      // enable link NAME
absl::Status ResolveAddress(Session& session);  // explain address ADDRESS
absl::Status TestConnector(Session& session);   // test connector ID
absl::Status Top(Session& session);             // top

}  // namespace trunkline::cli
