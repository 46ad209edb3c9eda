#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "control/api/connector_service.h"
#include "control/daemon/control_loop.h"
#include "control/store/store.h"
#include "router/probe.h"

namespace trunkline::daemon {

// What ProbeSteps say, as callers of the API are told it.
v1::TestConnectorResponse ToResponse(const std::vector<ProbeStep>& steps);

// Tries connectors, with the certificates that are in force and the password files as they are now.
//
// Owned by the Daemon. Thread: control.
class ConnectorTests {
 public:
  // Both outlive it.
  ConnectorTests(const store::Store& store, ControlLoop& loop, std::string router_id)
      : store_(store), loop_(loop), router_id_(std::move(router_id)) {}
  ConnectorTests(const ConnectorTests&) = delete;
  ConnectorTests& operator=(const ConnectorTests&) = delete;

  // See ConnectorService::Hooks::test.
  absl::Status Begin(const v1::Connector& connector, const std::string& path, Duration limit,
                     api::ConnectorService::Tested done);

 private:
  const store::Store& store_;
  ControlLoop& loop_;
  const std::string router_id_;
  Prober prober_;
};

}  // namespace trunkline::daemon
