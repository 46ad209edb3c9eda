#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "control/api/call.h"
#include "control/api/desk.h"
#include "control/api/edit.h"
#include "control/api/kind.h"
#include "control/api/request_ids.h"
#include "control/api/resource_store.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "router/base/random.h"
#include "router/base/time.h"

namespace trunkline::api {

// Answers what is asked of the whole configuration: GetConfig, and ApplyConfig, which changes many
// resources or none.
//
// Owned by the daemon; outlives the store's changes under way and the calls. Thread: control.
class ConfigService {
 public:
  // All outlive us.
  ConfigService(ResourceStore& store, const MethodTable& methods, std::function<Time()> clock);
  ConfigService(const ConfigService&) = delete;
  ConfigService& operator=(const ConfigService&) = delete;

  Handlers MakeHandlers();

 private:
  using Message = google::protobuf::Message;
  // What each resource of a bundle came to, by name, so in order of names.
  using Results = std::map<std::string, v1::ApplyConfigResponse::Result>;

  void GetConfig(Call& call) const;
  void ApplyConfig(const std::shared_ptr<Call>& call);
  void Mutate(const std::shared_ptr<Call>& call, const RequestIds::Done& done);

  // Makes `made` what the bundle says, as far as it may be; what may not is in `results`. Not OK:
  // there is such a thing.
  absl::Status Edit(const v1::ApplyConfigRequest& request, config::Document& made,
                    Results& results) const;
  void Put(const Kind& kind, const Message& resource, const std::string& path, Draft& draft,
           Results& results) const;
  void Prune(const Kind& kind, Draft& draft, Results& results) const;
  Scope ScopeOf(const Kind& kind) const;

  ResourceStore& store_;
  const std::vector<Kind> kinds_;
  const std::function<Time()> clock_;
  RequestIds request_ids_;
};

}  // namespace trunkline::api
