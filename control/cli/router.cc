#include "control/cli/router.h"

#include <time.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/cli/table.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "proto/trunkline/control/v1/connector_service.pb.h"
#include "proto/trunkline/control/v1/listener_service.pb.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;

// What `status` counts. A router has no more of either.

absl::StatusOr<v1::GetVersionResponse> VersionOf(Session& session) {
  v1::GetVersionResponse reply;
  TL_RETURN_IF_ERROR(session.Call("RouterService/GetVersion", v1::GetVersionRequest(), reply));
  return reply;
}

// "2 of 3 listening; failed: amqps".
std::string Summary(size_t good, std::string_view word, size_t all,
                    const std::vector<std::string>& failed) {
  std::string text = all == 0 ? "none" : Concat(good, " of ", all, " ", word);
  for (size_t i = 0; i < failed.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "; not: " : ", ", failed[i]);
  }
  return text;
}

// --timeout of what ends a router is how long messages under way may take.
template <typename Request>
absl::Status ReadTimeout(const Session& session, Request& request) {
  if (!session.arguments().Has("timeout")) return absl::OkStatus();
  const auto timeout = config::ParseDuration(session.arguments().Get("timeout"));
  if (!timeout) return absl::InvalidArgumentError("--timeout: is not a duration such as 60s");
  *request.mutable_timeout() = *timeout;
  return absl::OkStatus();
}

}  // namespace

absl::Status Status(Session& session) {
  TL_ASSIGN_OR_RETURN(const v1::GetVersionResponse version, VersionOf(session));
  v1::ListListenersResponse listeners;
  TL_RETURN_IF_ERROR(
      session.CallForAll("ListenerService/ListListeners", v1::ListListenersRequest(), listeners));
  v1::ListConnectorsResponse connectors;
  TL_RETURN_IF_ERROR(session.CallForAll("ConnectorService/ListConnectors",
                                        v1::ListConnectorsRequest(), connectors));
  uint64_t connections = 0;
  size_t listening = 0, open = 0;
  std::vector<std::string> deaf, away;
  for (const v1::Listener& listener : listeners.listeners()) {
    connections += listener.status().active_connections();
    const bool is_good = listener.status().state() == v1::ListenerStatus::STATE_LISTENING;
    listening += is_good ? 1 : 0;
    if (!is_good) deaf.push_back(CellOf(listener, "name", 0));
  }
  for (const v1::Connector& connector : connectors.connectors()) {
    const bool is_good = connector.status().state() == v1::ConnectorStatus::STATE_OPEN;
    open += is_good ? 1 : 0;
    if (!is_good) away.push_back(CellOf(connector, "name", 0));
  }
  Table table({"", ""});
  table.Add({"Router", version.router_id()});
  table.Add({"Version", Concat(version.version(), ", API ", version.api_version())});
  table.Add({"Listeners", Summary(listening, "listening", listeners.listeners().size(), deaf)});
  table.Add({"Connectors", Summary(open, "open", connectors.connectors().size(), away)});
  table.Add({"Connections", Concat(connections, " of clients")});
  table.Add({"Up", Age(::time(nullptr) - version.start_time().seconds())});
  session.Print(table.Text(false));
  return absl::OkStatus();
}

absl::Status DrainRouter(Session& session) {
  v1::DrainRequest request;
  TL_RETURN_IF_ERROR(ReadTimeout(session, request));
  v1::DrainResponse progress;
  const absl::Status status = session.Stream("RouterService/Drain", request, progress, [&] {
    if (!progress.done()) {
      session.Progress(Concat("draining: ", Count(progress.connections(), "connection"), ", ",
                              Count(progress.unsettled(), "message"), " unsettled"),
                       Session::Line::kNext);
    } else {
      session.Progress(
          progress.complete()
              ? "drained"
              : Concat("time is up: ", Count(progress.unsettled(), "message"), " given up"),
          Session::Line::kLast);
    }
    return true;
  });
  // It has been told.
  if (status.ok() && progress.done() && !progress.complete())
    return absl::FailedPreconditionError("");
  return status;
}

absl::Status Shutdown(Session& session) {
  v1::ShutdownRequest request;
  TL_RETURN_IF_ERROR(ReadTimeout(session, request));
  v1::ShutdownResponse reply;
  TL_RETURN_IF_ERROR(session.Call("RouterService/Shutdown", request, reply));
  session.Print("shutting down\n");
  return absl::OkStatus();
}

std::string OwnVersion() { return Concat("trunkctl ", TRUNKLINE_VERSION, "\n"); }

absl::Status Version(Session& session) {
  session.Print(OwnVersion());
  TL_ASSIGN_OR_RETURN(const v1::GetVersionResponse version, VersionOf(session));
  session.Print(Concat("trunkd ", version.version(), ", API ", version.api_version(), "\n"));
  return absl::OkStatus();
}

}  // namespace trunkline::cli
