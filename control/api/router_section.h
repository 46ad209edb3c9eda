#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "control/api/call.h"
#include "control/api/desk.h"
#include "control/api/request_ids.h"
#include "control/api/resource_store.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "router/base/time.h"

namespace trunkline::api {

// The router as a resource: GetRouter, and UpdateRouter, which changes the fields of its spec of
// which the configuration file says nothing.
//
// Owned by the daemon; outlives the store's changes under way and the calls. Thread: control.
class RouterSection {
 public:
  // `store` outlives it.
  RouterSection(ResourceStore& store, std::function<Time()> clock)
      : store_(store), clock_(std::move(clock)) {}
  RouterSection(const RouterSection&) = delete;
  RouterSection& operator=(const RouterSection&) = delete;

  // By Method::key. They refer to this.
  Handlers MakeHandlers();

 private:
  void Get(Call& call) const;
  void Update(const std::shared_ptr<Call>& call);
  void Mutate(const std::shared_ptr<Call>& call, const RequestIds::Done& done);
  // Makes `made` what the request says, and tells in `change` what that comes to.
  absl::Status Edit(const v1::UpdateRouterRequest& request, config::Document& made,
                    v1::RouterChange& change) const;
  // Makes one field as it is in `wanted`. FailedPrecondition: it is not to be set over the API
  // (RESTART_REQUIRED), or the file says what it is (READ_ONLY_SOURCE).
  absl::Status Set(const google::protobuf::FieldDescriptor& field, const v1::RouterSpec& wanted,
                   v1::RouterSpec& made) const;

  ResourceStore& store_;
  const std::function<Time()> clock_;
  RequestIds request_ids_;
};

}  // namespace trunkline::api
