#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "control/api/config_service.h"
#include "control/api/crud.h"
#include "control/api/method_table.h"
#include "control/api/resource_store.h"
#include "control/api/router_section.h"
#include "control/api/tls_service.h"
#include "control/api/tls_sessions.h"
#include "control/api/user_service.h"
#include "control/daemon/live_api.h"
#include "control/daemon/status_board.h"
#include "control/store/store.h"
#include "router/base/random.h"
#include "router/base/time.h"
#include "router/observe.h"

namespace trunkline::daemon {

// The resources of the API: changes go to the store, and what is asked is answered from it and from
// what the router has told.
//
// Owned by the Daemon; all that it is given outlives it. Thread: control.
class ResourceApi {
 public:
  ResourceApi(store::Store& store, const StatusBoard& board, const api::MethodTable& methods,
              Random& random, std::function<Time()> clock, Router& router);
  ResourceApi(const ResourceApi&) = delete;
  ResourceApi& operator=(const ResourceApi&) = delete;

  api::Handlers MakeHandlers();

  // --- who watches is told of it
  void Begin() {
    tls_.Refresh();
    crud_.Begin();
  }
  void OnChanged(const std::vector<store::Difference>& differences) {
    tls_.Refresh();
    crud_.Changed(differences);
  }
  // The board knows of it already.
  void OnEvent(const RouterEvent& event);
  // What is told of the resource of this name is another.
  void StatusChanged(const std::string& name) { crud_.StatusChanged(name); }
  void OnTime(Time now) {
    crud_.Tick(now);
    live_.OnTime(now);
  }
  Time due() const { return std::min(crud_.NextDeadline(), live_.due()); }

  void FillStatus(google::protobuf::Message& resource);

 private:
  void Fill(const std::string& id, v1::Listener& listener) const;
  void Fill(const std::string& id, v1::Connector& connector) const;
  void Fill(const std::string& id, v1::UserStore& users) const;

  store::Store& store_;
  const StatusBoard& board_;
  api::RealStore resources_;
  api::Crud crud_;
  api::ConfigService config_;
  api::RouterSection router_section_;
  LiveApi live_;
  api::TlsService tls_;
  api::TlsSessions tls_sessions_;
  api::UserService users_;
};

}  // namespace trunkline::daemon
