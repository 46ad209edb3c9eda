#pragma once

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "router/base/time.h"

namespace trunkline::api {

// The field `heartbeat` of the request of a watch: after such a silence there is a bookmark. 30 s
// where it is absent; zero: none. InvalidArgument with a violation: neither 0s nor in 1s..24h.
absl::StatusOr<Duration> HeartbeatOf(const google::protobuf::Message& request);

}  // namespace trunkline::api
