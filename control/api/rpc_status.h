#pragma once

#include "absl/status/status.h"
#include "proto/google/rpc/status.pb.h"

namespace trunkline::api {

// `status` as it goes to a client: a google.rpc.Status with its payloads as details. Every error
// has an ErrorInfo: without a reason of its own, one that is made from its code, "NOT_FOUND".
//
// It travels in trailing metadata, of which clients take 8 KiB: the message is cut at
// kRpcMessageBytesMax, and of the details as much is left out, from the end, as does not fit into
// kRpcStatusBytesMax.
google::rpc::Status ToRpcStatus(const absl::Status& status);

inline constexpr size_t kRpcMessageBytesMax = 1024;
inline constexpr size_t kRpcStatusBytesMax = 4096;

}  // namespace trunkline::api
