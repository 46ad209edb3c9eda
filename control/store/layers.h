#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/config/collection.h"
#include "control/config/document.h"
#include "control/config/problem.h"
#include "control/config/resource.h"
#include "router/base/random.h"

namespace trunkline::store {

// What a router should have comes in layers, each a Document: what the configuration file says, and
// what was made over the API. A resource is in one of them alone.

// Whether a field of the router's spec may be set over the API: only then it is in that layer.
bool IsSetOverApi(const google::protobuf::FieldDescriptor& field);

// Both together. A problem for each name, and each field of the router's spec, that is in both, at
// its place in the file.
config::Document Merge(const config::Document& file, const config::Document& made,
                       std::vector<config::Problem>& problems);

// One resource that is not what it was.
struct Difference {
  const config::Collection* collection = nullptr;
  std::string id;
  std::shared_ptr<const google::protobuf::Message> before;  // null: it is new
  std::shared_ptr<const google::protobuf::Message> after;   // null: it is gone
};

// What tells two documents apart, by uids and etags: in order of collections and names.
std::vector<Difference> Differences(const config::Document& before, const config::Document& after);

// Who stamps resources, and when.
struct Stamp {
  v1::Source source = v1::SOURCE_API;
  int64_t now = 0;           // milliseconds since 1970
  Random* random = nullptr;  // of uids; null: none are given
};

// Fills in what the resources of a layer, which was `before`, carry about themselves: uid, etag,
// generation, times and source; whatever stood there is written over, and status is taken away.
void StampLayer(const config::Document& before, const Stamp& stamp, config::Document& after);

// 16 hex digits that depend on name, legacy_name, labels and spec alone, so that they are the same
// after a restart.
std::string MakeEtag(const google::protobuf::Message& resource);

// Takes away the inline certificates of profiles that are gone from a layer, or that name other
// files than `before`: these count then.
void ForgetInline(const config::Document& before, config::Document& after);
// Takes away from a layer the users of stores that are not built in, or gone from both layers.
void ForgetUsers(const config::Document& file, config::Document& made);

// The router as a resource, of the file's layer and both together.
v1::Router RouterOf(const config::Document& file, const config::Document& both);

// What a change of one resource does to connections (proto: Impact). Pure.
v1::Impact ImpactOf(const Difference& difference);
v1::Impact ImpactOf(const v1::RouterSpec& before, const v1::RouterSpec& after);

}  // namespace trunkline::store
