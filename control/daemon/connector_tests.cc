#include "control/daemon/connector_tests.h"

#include <time.h>

#include <utility>

#include "control/config/characters.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "control/config/translate.h"
#include "control/config/validate.h"
#include "control/store/configuration.h"
#include "google/protobuf/util/time_util.h"

namespace trunkline::daemon {
namespace {

using config::Concat;
using Response = v1::TestConnectorResponse;

Response::Stage ToStage(ProbeStage stage) {
  switch (stage) {
    case ProbeStage::kResolve:
      return Response::STAGE_NAME_RESOLUTION;
    case ProbeStage::kConnect:
      return Response::STAGE_TCP;
    case ProbeStage::kTls:
      return Response::STAGE_TLS;
    case ProbeStage::kSasl:
      return Response::STAGE_SASL;
    case ProbeStage::kOpen:
      return Response::STAGE_AMQP_OPEN;
  }
  return Response::STAGE_UNSPECIFIED;
}

// "connectors[tested].host" → "spec.host".
absl::Status Renamed(std::vector<config::Problem> problems, const std::string& own,
                     const std::string& path) {
  for (config::Problem& problem : problems) {
    if (!path.empty() && problem.path.starts_with(own)) {
      problem.path = Concat(path, problem.path.substr(own.size()));
    }
  }
  return config::StatusOf(problems);
}

}  // namespace

v1::TestConnectorResponse ToResponse(const std::vector<ProbeStep>& steps) {
  Response response;
  response.set_ok(!steps.empty());
  for (const ProbeStep& step : steps) {
    Response::Step& told = *response.add_steps();
    told.set_stage(ToStage(step.stage));
    told.set_ok(step.error.empty());
    *told.mutable_duration() =
        google::protobuf::util::TimeUtil::NanosecondsToDuration(step.took.ns);
    told.set_error(config::ToUtf8(step.error));
    for (const auto& [name, value] : step.facts)
      (*told.mutable_facts())[name] = config::ToUtf8(value);
    response.set_ok(response.ok() && told.ok());
  }
  return response;
}

absl::Status ConnectorTests::Begin(const v1::Connector& connector, const std::string& path,
                                   Duration limit, api::ConnectorService::Tested done) {
  const std::string id(config::ResourceId(connector.name()));
  const std::string own = Concat("connectors[", id, "]");
  config::Document document = store_.effective();
  document.connectors = {{id, connector}};
  std::vector<config::Problem> problems = config::Validate(document);
  if (!problems.empty()) return Renamed(std::move(problems), own, path);
  // What others lack is no fault of this one.
  const auto profile_id = config::ResourceId(connector.spec().tls_profile());
  std::erase_if(document.tls_profiles, [&](const auto& one) { return one.first != profile_id; });
  document.listeners.clear();
  document.user_stores.clear();
  store::Findings findings;
  const store::Configuration loaded =
      store::Load(std::move(document), {.same = &store_.in_force(), .in_force = &store_.in_force()},
                  ::time(nullptr), findings);
  if (!findings.problems.empty()) return Renamed(std::move(findings.problems), own, path);
  ProbeWish wish{.spec = config::ToSpec(connector, loaded.document),
                 .tls = nullptr,
                 .router_id = router_id_,
                 .limit = limit};
  if (const auto found = loaded.passwords.find(id); found != loaded.passwords.end()) {
    wish.spec.sasl_password = found->second;
  }
  const auto profile = loaded.profiles.find(wish.spec.connection.tls_profile);
  if (profile != loaded.profiles.end()) wish.tls = profile->second.context;
  const absl::Status begun =
      prober_.Begin(std::move(wish), [&loop = loop_, done = std::move(done)](auto steps) {
        loop.Post([done, steps = std::move(steps)] { done(ToResponse(steps)); });
      });
  if (begun.ok()) return begun;
  return config::WithRetry(config::WithReason(begun, "TOO_MANY_TESTS"), limit.milliseconds());
}

}  // namespace trunkline::daemon
