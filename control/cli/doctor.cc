#include "control/cli/doctor.h"

#include <netdb.h>

#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/cli/findings.h"
#include "control/cli/values.h"
#include "control/config/file_source.h"
#include "control/config/text.h"
#include "proto/trunkline/control/v1/address_service.pb.h"
#include "proto/trunkline/control/v1/connector_service.pb.h"
#include "proto/trunkline/control/v1/listener_service.pb.h"
#include "proto/trunkline/control/v1/stats_service.pb.h"
#include "proto/trunkline/control/v1/tls_service.pb.h"
#include "proto/trunkline/control/v1/trace_service.pb.h"
#include "proto/trunkline/control/v1/user_service.pb.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using Result = Finding::Result;

constexpr uint32_t kEventsLookedAt = 4096;

int64_t NowMilliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// One look at a router.
class Examination {
 public:
  explicit Examination(Session& session) : session_(session) {}

  // The router could not be asked: what the first question came to.
  absl::Status Run();
  const std::vector<Finding>& findings() const { return findings_; }

 private:
  void LookAtRole();
  void LookAtClock();
  void LookAtDescriptors();
  void LookAtListeners();
  void LookAtConnectors();
  void LookAtHost(const std::string& host);
  void LookAtTls();
  void LookAtUsers();
  void LookAtConfiguration();
  void LookAtPersistence();

  // A question that has no answer is a finding, too.
  bool IsAnswered(const std::string& check, const absl::Status& status) {
    if (!status.ok()) findings_.push_back(JudgeSilence(check, status));
    return status.ok();
  }
  template <typename Resources>
  void CountOwn(const Resources& resources) {
    for (const auto& each : resources) made_over_api_ += each.source() == v1::SOURCE_API ? 1 : 0;
  }

  Session& session_;
  std::vector<Finding> findings_;
  size_t made_over_api_ = 0;
};

absl::Status Examination::Run() {
  v1::GetVersionResponse version;
  TL_RETURN_IF_ERROR(session_.Call("RouterService/GetVersion", v1::GetVersionRequest(), version));
  findings_.push_back({"API", Result::kOk,
                       Concat("router ", version.router_id(), ", trunkd ", version.version(),
                              ", API ", version.api_version()),
                       ""});
  LookAtRole();
  LookAtClock();
  LookAtDescriptors();
  LookAtConfiguration();
  LookAtListeners();
  LookAtConnectors();
  LookAtTls();
  LookAtUsers();
  LookAtPersistence();
  return absl::OkStatus();
}

// By asking for what only that role may, and changes nothing.
void Examination::LookAtRole() {
  v1::ApplyConfigRequest nothing;
  nothing.set_validate_only(true);
  v1::ApplyConfigResponse applied;
  Finding finding{"your role", Result::kOk, "admin", ""};
  const absl::Status asked = session_.Call("RouterService/ApplyConfig", nothing, applied);
  if (!absl::IsPermissionDenied(asked)) {
    if (IsAnswered(finding.check, asked)) findings_.push_back(finding);
    return;
  }
  v1::WatchLogsRequest last;
  last.set_tail(1);
  v1::WatchLogsResponse record;
  const bool is_viewer = absl::IsPermissionDenied(
      session_.Stream("TraceService/WatchLogs", last, record, [] { return false; }));
  finding.text = is_viewer ? "viewer: you can change nothing" : "operator";
  findings_.push_back(finding);
}

void Examination::LookAtClock() {
  const int64_t before = NowMilliseconds();
  v1::GetStatsRequest request;
  request.add_parts(v1::STATS_PART_ROUTER);
  v1::Stats stats;
  if (!IsAnswered("clock", session_.Call("StatsService/GetStats", request, stats))) return;
  const int64_t asked = NowMilliseconds() - before;
  const int64_t theirs = stats.time().seconds() * 1000 + stats.time().nanos() / 1'000'000;
  findings_.push_back(JudgeClock(theirs, before, asked));
}

void Examination::LookAtDescriptors() {
  v1::GetStatsRequest request;
  request.add_parts(v1::STATS_PART_PROCESS);
  v1::Stats stats;
  if (!IsAnswered("descriptors", session_.Call("StatsService/GetStats", request, stats))) return;
  findings_.push_back(JudgeDescriptors(stats.process()));
}

void Examination::LookAtConfiguration() {
  v1::WatchEventsRequest request;
  request.set_filter("type:config");
  request.set_backlog(kEventsLookedAt);
  v1::WatchEventsResponse reply;
  std::vector<v1::Event> events;
  const absl::Status seen = session_.Stream("RouterService/WatchEvents", request, reply, [&] {
    if (!reply.has_happened()) return false;  // behind the past
    events.push_back(reply.happened());
    return true;
  });
  if (IsAnswered("configuration", seen)) findings_.push_back(JudgeReload(events));
}

void Examination::LookAtListeners() {
  v1::ListListenersResponse reply;
  const absl::Status listed =
      session_.CallForAll("ListenerService/ListListeners", v1::ListListenersRequest(), reply);
  if (!IsAnswered("listeners", listed)) return;
  CountOwn(reply.listeners());
  for (const v1::Listener& each : reply.listeners()) findings_.push_back(JudgeListener(each));
  if (!reply.listeners().empty()) return;
  findings_.push_back({"listeners", Result::kWarning, "none: nobody can connect",
                       "trunkctl create listener amqp port=5672"});
}

void Examination::LookAtConnectors() {
  v1::ListConnectorsResponse reply;
  const absl::Status listed =
      session_.CallForAll("ConnectorService/ListConnectors", v1::ListConnectorsRequest(), reply);
  if (!IsAnswered("connectors", listed)) return;
  CountOwn(reply.connectors());
  std::set<std::string> hosts;
  for (const v1::Connector& each : reply.connectors()) {
    findings_.push_back(JudgeConnector(each));
    if (each.status().state() != v1::ConnectorStatus::STATE_DISABLED) {
      hosts.insert(each.spec().host());
    }
  }
  // What this machine knows is what the router knows only where both are on one.
  const absl::StatusOr<Endpoint> endpoint = session_.FindEndpoint();
  if (!endpoint.ok() || !endpoint->address.starts_with("unix:")) return;
  for (const std::string& host : hosts) LookAtHost(host);
}

void Examination::LookAtHost(const std::string& host) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  const bool is_address = ::getaddrinfo(host.c_str(), nullptr, &hints, &found) == 0;
  if (found != nullptr) ::freeaddrinfo(found);
  if (is_address) return;
  hints.ai_flags = 0;
  found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (found != nullptr) ::freeaddrinfo(found);
  Finding finding{"name " + host, Result::kOk, "has an address", ""};
  if (error != 0) {
    finding.result = Result::kFailed;
    finding.text = Concat("has no address here: ", ::gai_strerror(error));
    finding.way_out = "correct the host of the connector, or DNS";
  }
  findings_.push_back(finding);
}

void Examination::LookAtTls() {
  v1::ListTlsProfilesResponse reply;
  const absl::Status listed =
      session_.CallForAll("TlsService/ListTlsProfiles", v1::ListTlsProfilesRequest(), reply);
  if (!IsAnswered("TLS profiles", listed)) return;
  CountOwn(reply.tls_profiles());
  for (const v1::TlsProfile& each : reply.tls_profiles()) {
    findings_.push_back(JudgeTlsProfile(each, NowMilliseconds() / 1000));
  }
}

void Examination::LookAtUsers() {
  v1::ListUserStoresResponse reply;
  const absl::Status listed =
      session_.CallForAll("UserService/ListUserStores", v1::ListUserStoresRequest(), reply);
  if (!IsAnswered("users", listed)) return;
  CountOwn(reply.user_stores());
  for (const v1::UserStore& each : reply.user_stores()) findings_.push_back(JudgeUserStore(each));
}

// Behind the others, which count what was made over the API.
void Examination::LookAtPersistence() {
  v1::ListAddressesResponse reply;
  const absl::Status listed =
      session_.CallForAll("AddressService/ListAddresses", v1::ListAddressesRequest(), reply);
  if (!IsAnswered("persistence", listed)) return;
  CountOwn(reply.addresses());
  v1::Router router;
  if (!IsAnswered("persistence",
                  session_.Call("RouterService/GetRouter", v1::GetRouterRequest(), router))) {
    return;
  }
  made_over_api_ += router.set_over_api().paths().empty() ? 0 : 1;
  v1::GetConfigResponse text;
  if (!IsAnswered("persistence",
                  session_.Call("RouterService/GetConfig", v1::GetConfigRequest(), text))) {
    return;
  }
  const auto document = config::ParsePart(text.yaml(), "/");
  if (!IsAnswered("persistence", document.status())) return;
  findings_.push_back(JudgePersistence(document->control.state_directory(), made_over_api_));
}

}  // namespace

absl::Status Doctor(Session& session) {
  TL_RETURN_IF_ERROR(ExpectForm(session.arguments(), "table json"));
  Examination examination(session);
  TL_RETURN_IF_ERROR(examination.Run());
  size_t failed = 0;
  Table table({"RESULT", "CHECK", "FINDING"});
  for (const Finding& each : examination.findings()) {
    failed += each.result == Result::kFailed ? 1 : 0;
    table.Add({NameOf(each.result), Printable(each.check), Printable(each.text)});
    // Below it, as terminals are not wide.
    if (!each.way_out.empty()) table.Add({"", "", "→ " + Printable(each.way_out)});
  }
  session.Print(session.arguments().Get("output") == "json"
                    ? JsonOf(examination.findings())
                    : table.Text(!session.arguments().Has("no-headers"), session.colours()));
  if (failed == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(Concat(Count(failed, "check"), " failed"));
}

}  // namespace trunkline::cli
