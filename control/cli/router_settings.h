#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "control/cli/session.h"
#include "proto/trunkline/control/v1/router_service.pb.h"

namespace trunkline::cli {

// The router among the resources: there is one, which has no id and cannot be made or taken away.
inline constexpr std::string_view kRouter = "router";
bool IsRouter(const Session& session);  // the first word says so

absl::Status GetRouter(Session& session);  // get router
absl::Status SetRouter(Session& session);  // set router FIELD=VALUE…

// Asks for a change, with --dry-run if that is given, and prints what came of it.
absl::Status UpdateRouter(Session& session, v1::UpdateRouterRequest& request);

}  // namespace trunkline::cli
