#include "control/api/connector_service.h"

#include <utility>

#include "control/api/edit.h"
#include "control/api/password_files.h"
#include "control/config/collection.h"
#include "control/config/error_details.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "control/config/translate.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using config::Concat;

constexpr size_t kReasonBytesMax = 256;
constexpr char kReason[] = "closed by an operator";

// Of TestConnector: below what the router lets a call take.
constexpr Duration kTestDefault = Seconds(10);
constexpr Duration kTestMin = Milliseconds(100);
constexpr Duration kTestMax = Seconds(50);

absl::Status WrongField(const std::string& field, const std::string& description) {
  return config::WithViolations(
      config::WithReason(absl::InvalidArgumentError(Concat(field, ": ", description)),
                         "INVALID_FIELD"),
      {{field, description}});
}

const config::Collection& Connectors() { return *config::CollectionOfName("connectors/any"); }

absl::StatusOr<Duration> LimitOf(const v1::TestConnectorRequest& request) {
  if (!request.has_timeout()) return kTestDefault;
  const Duration limit = Milliseconds(config::ToMilliseconds(request.timeout()));
  if (limit < kTestMin || limit > kTestMax) return WrongField("timeout", "is not in 100ms..50s");
  return limit;
}

}  // namespace

Handlers ConnectorService::MakeHandlers() {
  Handlers handlers;
  handlers["ConnectorService/ConnectConnector"] = [this](auto call) { Connect(*call); };
  handlers["ConnectorService/DisconnectConnector"] = [this](auto call) { Disconnect(*call); };
  handlers["ConnectorService/TestConnector"] = [this](auto call) { Test(call); };
  return handlers;
}

absl::StatusOr<v1::Connector> ConnectorService::Find(const std::string& name) const {
  const config::Document& document = hooks_.document();
  TL_ASSIGN_OR_RETURN(const std::string id, IdOf(Connectors(), name, "name"));
  const auto found = document.connectors.find(id);
  if (found == document.connectors.end()) {
    return NotFound(Connectors(), id, Connectors().Ids(document));
  }
  v1::Connector connector = found->second;
  hooks_.fill_status(connector);
  return connector;
}

void ConnectorService::Connect(Call& call) const {
  auto connector = Find(call.As<v1::ConnectConnectorRequest>().name());
  if (!connector.ok()) return call.Finish(connector.status());
  if (!config::IsEnabled(*connector)) {
    return call.Finish(
        config::WithReason(absl::FailedPreconditionError(
                               Concat(connector->name(), " is switched off; update spec.enabled")),
                           "CONNECTOR_DISABLED"));
  }
  if (connector->status().state() != v1::ConnectorStatus::STATE_OPEN) {
    const absl::Status dialled = hooks_.dial(std::string(config::ResourceId(connector->name())));
    if (!dialled.ok()) return call.Finish(config::WithReason(dialled, "CANNOT_DIAL"));
    hooks_.fill_status(*connector);
  }
  call.Reply(*connector);
}

void ConnectorService::Disconnect(Call& call) const {
  const auto& request = call.As<v1::DisconnectConnectorRequest>();
  if (request.reason().size() > kReasonBytesMax) {
    return call.Finish(WrongField(
        "reason", Concat(request.reason().size(), " bytes are more than ", kReasonBytesMax)));
  }
  auto connector = Find(request.name());
  if (!connector.ok()) return call.Finish(connector.status());
  const std::string& connection = connector->status().connection();
  if (!connection.empty()) {
    const absl::Status closed =
        hooks_.close(connection, request.reason().empty() ? kReason : request.reason());
    // One that has ended meanwhile is not connected any more, as was asked for.
    if (!closed.ok() && !absl::IsNotFound(closed)) return call.Finish(closed);
  }
  call.Reply(*connector);
}

void ConnectorService::Test(const std::shared_ptr<Call>& call) const {
  const auto& request = call->As<v1::TestConnectorRequest>();
  const auto limit = LimitOf(request);
  if (!limit.ok()) return call->Finish(limit.status());
  v1::Connector connector;
  std::string path;
  switch (request.target_case()) {
    case v1::TestConnectorRequest::kName: {
      auto found = Find(request.name());
      if (!found.ok()) return call->Finish(found.status());
      connector = *std::move(found);
      break;
    }
    case v1::TestConnectorRequest::kSpec:
      connector.set_name("connectors/tested");
      *connector.mutable_spec() = request.spec();
      path = "spec";
      if (absl::Status status = CheckPasswordFile(*call, nullptr, connector, path); !status.ok()) {
        return call->Finish(status);
      }
      break;
    case v1::TestConnectorRequest::TARGET_NOT_SET:
      return call->Finish(WrongField("name", "neither a name nor a spec is given"));
  }
  const absl::Status begun =
      hooks_.test(connector, path, *limit,
                  [call](const v1::TestConnectorResponse& result) { call->Reply(result); });
  if (!begun.ok()) call->Finish(begun);
}

}  // namespace trunkline::api
