#include "control/cli/traffic.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "control/cli/explain.h"
#include "control/cli/output.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "proto/trunkline/control/v1/address_service.pb.h"
#include "proto/trunkline/control/v1/connection_service.pb.h"
#include "proto/trunkline/control/v1/connector_service.pb.h"
#include "proto/trunkline/control/v1/stats_service.pb.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;

// "orders", or "-" where there is none.
std::string Or(const std::string& text) { return text.empty() ? "-" : Printable(text); }

std::string Rate(double value) { return absl::StrFormat("%.*f", value < 100 ? 1 : 0, value); }

// What `top` shows of one answer.
std::string Screen(const v1::WatchStatsResponse& reply) {
  const v1::RouterStats& router = reply.stats().router();
  const v1::RouterRates& rates = reply.router_rates();
  double busiest = 0;
  for (const v1::WorkerRates& worker : reply.worker_rates()) {
    busiest = std::max(busiest, worker.busy());
  }
  std::string text = absl::StrFormat(
      "%s, %s, %s; busiest worker %.0f %%\n"
      "messages/s in %s, out %s; accepted %s, rejected %s, released %s, modified %s\n"
      "bytes/s in %s, out %s; unsettled %d, waiting %d, stuck %d, blocked links %d\n",
      Count(router.connections(), "connection"), Count(router.links_in(), "producer"),
      Count(router.links_out(), "consumer"), busiest * 100, Rate(rates.deliveries_in()),
      Rate(rates.deliveries_out()), Rate(rates.accepted()), Rate(rates.rejected()),
      Rate(rates.released()), Rate(rates.modified()), Rate(rates.bytes_received()),
      Rate(rates.bytes_sent()), router.unsettled(), router.undelivered(), router.stuck(),
      router.links_blocked());
  Table table({"ADDRESS", "IN/S", "OUT/S", "PRODUCERS", "CONSUMERS", "UNSETTLED", "WAITING"});
  for (const v1::RouteRates& route : reply.route_rates()) {
    table.Add({Or(route.address()), Rate(route.deliveries_in()), Rate(route.deliveries_out()),
               absl::StrCat(route.producers()), absl::StrCat(route.consumers()),
               absl::StrCat(route.unsettled()), absl::StrCat(route.undelivered())});
  }
  if (table.size() > 0) absl::StrAppend(&text, "\n", table.Text(true));
  Table connections({"CONNECTION", "CONTAINER", "USER", "PEER", "BYTES/S IN", "OUT"});
  for (const v1::ConnectionRates& each : reply.connection_rates()) {
    connections.Add({std::string(each.name()), Or(each.container()), Or(each.user()),
                     Or(each.peer()), Rate(each.bytes_received()), Rate(each.bytes_sent())});
  }
  if (connections.size() > 0) absl::StrAppend(&text, "\n", connections.Text(true));
  return text;
}

absl::Status SetLinkState(Session& session, v1::Link::State state, const char* done) {
  if (session.words().size() != 1) {
    return absl::InvalidArgumentError("give one link, connections/N/links/M");
  }
  v1::SetLinkStateRequest request;
  request.set_name(session.words()[0]);
  request.set_state(state);
  v1::SetLinkStateResponse reply;
  TL_RETURN_IF_ERROR(session.Call("ConnectionService/SetLinkState", request, reply));
  session.Print(Concat(request.name(), " ", done, ": ", Or(reply.link().link_name()), ", address ",
                       Or(reply.link().address()), "\n"));
  return absl::OkStatus();
}

}  // namespace

absl::Status DisableLink(Session& session) {
  return SetLinkState(session, v1::Link::STATE_DISABLED, "disabled");
}

absl::Status EnableLink(Session& session) {
  return SetLinkState(session, v1::Link::STATE_ENABLED, "enabled");
}

absl::Status CloseOne(Session& session) {
  const std::vector<std::string>& words = session.words();
  if (words.size() == 2 && words[0] == "connection") {
    v1::CloseConnectionRequest request;
    request.set_name(words[1].starts_with("connections/") ? words[1] : "connections/" + words[1]);
    request.set_description(session.arguments().Get("reason"));
    v1::CloseConnectionResponse reply;
    TL_RETURN_IF_ERROR(session.Call("ConnectionService/CloseConnection", request, reply));
    session.Print(Concat(request.name(), " closed: ", Or(reply.connection().container()), " at ",
                         Or(reply.connection().peer()), "\n"));
    return absl::OkStatus();
  }
  if (words.size() == 2 && words[0] == "link") {
    v1::CloseLinkRequest request;
    request.set_name(words[1]);
    request.set_description(session.arguments().Get("reason"));
    v1::CloseLinkResponse reply;
    TL_RETURN_IF_ERROR(session.Call("ConnectionService/CloseLink", request, reply));
    session.Print(Concat(request.name(), " detached: ", Or(reply.link().link_name()), ", address ",
                         Or(reply.link().address()), "\n"));
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("give connection N, or link connections/N/links/M");
}

absl::Status ResolveAddress(Session& session) {
  // The manual of addresses.
  if (session.words().empty()) return ExplainKind(session, "address");
  if (session.words().size() != 1) return absl::InvalidArgumentError("give one ADDRESS");
  TL_ASSIGN_OR_RETURN(const bool json, WantsJson(session));
  v1::ResolveAddressRequest request;
  request.set_address(session.words()[0]);
  v1::ResolveAddressResponse reply;
  TL_RETURN_IF_ERROR(session.Call("AddressService/ResolveAddress", request, reply));
  if (json) {
    session.Print(JsonOf(reply));
    return absl::OkStatus();
  }
  Table table({"", ""});
  table.Add({"Address", Printable(request.address())});
  table.Add({"Setting", reply.setting().empty() ? "none; the router's default_distribution"
                                                : CellOf(reply, "setting", 0)});
  table.Add({"Distribution", CellOf(reply, "distribution", 0)});
  table.Add({"Producers", absl::StrCat(reply.producer_count())});
  std::vector<std::string> workers;
  for (const v1::WorkerConsumers& each : reply.consumers()) {
    if (each.consumers() == 0) continue;
    workers.push_back(Concat("worker ", each.worker(), ": ", each.consumers(), ", with credit ",
                             each.with_credit()));
  }
  table.Add({"Consumers", Concat(reply.consumer_count(), workers.empty() ? "" : " (",
                                 absl::StrJoin(workers, "; "), workers.empty() ? "" : ")")});
  if (!reply.fallback_key().empty()) {
    table.Add({"Fallback consumers", absl::StrCat(reply.fallback_consumer_count())});
  }
  table.Add({"A message now", reply.deliverable()
                                  ? "goes to a consumer"
                                  : "goes to nobody: " + Printable(reply.reason())});
  session.Print(table.Text(false));
  return absl::OkStatus();
}

absl::Status Top(Session& session) {
  v1::WatchStatsRequest request;
  for (const v1::StatsPart part : {v1::STATS_PART_ROUTER, v1::STATS_PART_WORKERS,
                                   v1::STATS_PART_ROUTES, v1::STATS_PART_CONNECTIONS}) {
    request.add_parts(part);
  }
  uint32_t limit = 10;
  if (session.arguments().Has("limit") &&
      !absl::SimpleAtoi(session.arguments().Get("limit"), &limit)) {
    return absl::InvalidArgumentError("--limit: is no number");
  }
  request.set_limit(limit);
  if (session.arguments().Has("interval")) {
    const auto interval = config::ParseDuration(session.arguments().Get("interval"));
    if (!interval) return absl::InvalidArgumentError("--interval: is not a duration such as 5s");
    *request.mutable_interval() = *interval;
  }
  const bool once = session.arguments().Has("once");
  // At a terminal each screen takes the place of the one before.
  const std::string clear = once || ::isatty(STDOUT_FILENO) != 1 ? "" : "\033[H\033[2J";
  v1::WatchStatsResponse reply;
  return session.Stream("StatsService/WatchStats", request, reply, [&] {
    if (!reply.has_interval()) return true;  // rates are of the next
    session.Print(Concat(clear, Screen(reply)));
    return !once;
  });
}

absl::Status TestConnector(Session& session) {
  if (session.words().size() != 1) return absl::InvalidArgumentError("give one connector's ID");
  const std::string& word = session.words()[0];
  v1::TestConnectorRequest request;
  request.set_name(word.starts_with("connectors/") ? word : "connectors/" + word);
  v1::TestConnectorResponse reply;
  TL_RETURN_IF_ERROR(session.Call("ConnectorService/TestConnector", request, reply));
  Table table({"STEP", "RESULT", "TOOK", "DETAIL"});
  for (const v1::TestConnectorResponse::Step& step : reply.steps()) {
    const std::map<std::string, std::string> facts(step.facts().begin(), step.facts().end());
    std::string detail = step.error();
    for (const auto& [name, value] : facts) {
      absl::StrAppend(&detail, detail.empty() ? "" : " ", name, "=", value);
    }
    std::replace(detail.begin(), detail.end(), '\n', ' ');
    table.Add({CellOf(step, "stage", 0), step.ok() ? "good" : "failed", CellOf(step, "duration", 0),
               Or(detail)});
  }
  session.Print(table.Text(!session.arguments().Has("no-headers"), session.colours()));
  if (reply.ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(Concat(request.name(), ": the test failed"));
}

}  // namespace trunkline::cli
