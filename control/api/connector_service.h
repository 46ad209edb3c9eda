#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "control/api/call.h"
#include "control/api/desk.h"
#include "control/config/document.h"
#include "proto/trunkline/control/v1/connector_service.pb.h"
#include "router/base/time.h"

namespace trunkline::api {

// What is done with connectors beyond making them (crud.h): dial now, disconnect, try.
//
// Owned by the daemon. Thread: control.
class ConnectorService {
 public:
  using Tested = std::function<void(const v1::TestConnectorResponse& result)>;
  struct Hooks {
    std::function<const config::Document&()> document;  // in force
    std::function<void(v1::Connector& connector)> fill_status;
    std::function<absl::Status(const std::string& id)> dial;
    // `connection` is "connections/{n}". NotFound: it has ended.
    std::function<absl::Status(const std::string& connection, const std::string& reason)> close;
    // Begins to try one that need not be in force, and tells the result later, on control. Errors
    // of the connector begin with `path` instead of its own name where that is not empty.
    std::function<absl::Status(const v1::Connector& connector, const std::string& path,
                               Duration limit, Tested done)>
        test;
  };

  explicit ConnectorService(Hooks hooks) : hooks_(std::move(hooks)) {}
  ConnectorService(const ConnectorService&) = delete;
  ConnectorService& operator=(const ConnectorService&) = delete;

  // By Method::key. They refer to this.
  Handlers MakeHandlers();

 private:
  void Connect(Call& call) const;
  void Disconnect(Call& call) const;
  void Test(const std::shared_ptr<Call>& call) const;
  // With its status. NotFound and others: what the caller is told.
  absl::StatusOr<v1::Connector> Find(const std::string& name) const;

  const Hooks hooks_;
};

}  // namespace trunkline::api
