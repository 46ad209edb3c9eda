#pragma once

#include "absl/status/status.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/message.h"

namespace trunkline::api {

inline constexpr int kMaskPathsMax = 100;

// Changes `resource` as an Update says (AIP-134): takes the fields that `mask` names from `given`.
//
//   nothing          the fields that are set in `given`, each of a message by itself
//   "*"              all; what is not set is put back to its default
//   "spec", "labels" the whole of it, as "*"
//   "spec.port"      that field
//   "labels.team"    that label
//
// Only what a caller may give (legacy_name, labels, spec) is changed; what the router tells is left
// out, wherever it is named. InvalidArgument with violations of `update_mask`: there is no such
// field; the resource is as it was. Pure.
absl::Status ApplyMask(const google::protobuf::FieldMask& mask,
                       const google::protobuf::Message& given, google::protobuf::Message& resource);

}  // namespace trunkline::api
