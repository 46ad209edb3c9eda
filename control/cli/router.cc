#include "control/cli/router.h"

#include <time.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/cli/table.h"
#include "control/config/file_source.h"
#include "control/config/read_file.h"
#include "control/config/text.h"
#include "proto/trunkline/control/v1/connector_service.pb.h"
#include "proto/trunkline/control/v1/listener_service.pb.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;

absl::Status ShowConfig(Session& session) {
  v1::GetConfigResponse reply;
  TL_RETURN_IF_ERROR(
      session.channel().Call("RouterService/GetConfig", v1::GetConfigRequest(), reply));
  session.Print(reply.yaml());
  return absl::OkStatus();
}

// By the router, as its version decides.
absl::Status CheckConfig(Session& session, const std::string& file) {
  v1::ValidateConfigRequest request;
  TL_ASSIGN_OR_RETURN(*request.mutable_yaml(), config::ReadFile(file, config::kConfigBytesMax));
  v1::ValidateConfigResponse reply;
  TL_RETURN_IF_ERROR(session.channel().Call("RouterService/ValidateConfig", request, reply));
  for (const v1::ValidateConfigResponse::Problem& problem : reply.problems()) {
    session.Print(Concat(file, ":", problem.line(), ":", problem.column(), ": ", problem.field(),
                         problem.field().empty() ? "" : ": ", problem.description(), "\n"));
  }
  if (reply.problems_size() == 0) {
    session.Print(Concat(file, ": good\n"));
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(Concat(reply.problems_size(), " problems"));
}

absl::StatusOr<v1::GetVersionResponse> VersionOf(Session& session) {
  v1::GetVersionResponse reply;
  TL_RETURN_IF_ERROR(
      session.channel().Call("RouterService/GetVersion", v1::GetVersionRequest(), reply));
  return reply;
}

}  // namespace

absl::Status Config(Session& session) {
  const std::vector<std::string>& words = session.arguments().words();
  TL_RETURN_IF_ERROR(session.arguments().Expect("config", {}));
  if (words.size() == 2 && words[1] == "show") return ShowConfig(session);
  if (words.size() == 3 && words[1] == "check") return CheckConfig(session, words[2]);
  return absl::InvalidArgumentError("usage: trunkctl config show, or config check FILE");
}

absl::Status Status(Session& session) {
  TL_RETURN_IF_ERROR(session.arguments().Expect("status", {}));
  TL_ASSIGN_OR_RETURN(const v1::GetVersionResponse version, VersionOf(session));
  v1::ListListenersResponse listeners;
  TL_RETURN_IF_ERROR(session.channel().Call("ListenerService/ListListeners",
                                            v1::ListListenersRequest(), listeners));
  v1::ListConnectorsResponse connectors;
  TL_RETURN_IF_ERROR(session.channel().Call("ConnectorService/ListConnectors",
                                            v1::ListConnectorsRequest(), connectors));
  uint64_t connections = 0;
  int listening = 0;
  for (const v1::Listener& listener : listeners.listeners()) {
    connections += listener.status().active_connections();
    listening += listener.status().state() == v1::ListenerStatus::STATE_LISTENING ? 1 : 0;
  }
  int open = 0;
  for (const v1::Connector& connector : connectors.connectors()) {
    open += connector.status().state() == v1::ConnectorStatus::STATE_OPEN ? 1 : 0;
  }
  session.Print(Concat("router ", version.router_id(), ", trunkd ", version.version(), ", up ",
                       Age(::time(nullptr) - version.start_time().seconds()), "\n", listening,
                       " of ", listeners.listeners_size(), " listeners listening, ", connections,
                       " connections\n", open, " of ", connectors.connectors_size(),
                       " connectors open\n"));
  return absl::OkStatus();
}

absl::Status DrainRouter(Session& session) {
  TL_RETURN_IF_ERROR(session.arguments().Expect("drain", {}));
  v1::DrainResponse progress;
  return session.channel().Stream("RouterService/Drain", v1::DrainRequest(), progress, [&] {
    if (!progress.done()) {
      session.Print(Concat("draining: ", progress.connections(), " connections, ",
                           progress.unsettled(), " messages unsettled\n"));
    } else {
      session.Print(progress.complete() ? "drained\n" : "time is up: messages were given up\n");
    }
    return true;
  });
}

absl::Status Shutdown(Session& session) {
  TL_RETURN_IF_ERROR(session.arguments().Expect("shutdown", {}));
  v1::ShutdownResponse reply;
  TL_RETURN_IF_ERROR(
      session.channel().Call("RouterService/Shutdown", v1::ShutdownRequest(), reply));
  session.Print("shutting down\n");
  return absl::OkStatus();
}

absl::Status Version(Session& session) {
  TL_RETURN_IF_ERROR(session.arguments().Expect("version", {}));
  session.Print(Concat("trunkctl ", TRUNKLINE_VERSION, "\n"));
  TL_ASSIGN_OR_RETURN(const v1::GetVersionResponse version, VersionOf(session));
  session.Print(Concat("trunkd ", version.version(), ", API ", version.api_version(), "\n"));
  return absl::OkStatus();
}

}  // namespace trunkline::cli
