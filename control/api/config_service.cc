#include "control/api/config_service.h"

#include <utility>

#include "control/api/rpc_status.h"
#include "control/config/error_details.h"
#include "control/config/resource.h"
#include "control/config/text.h"
#include "control/config/yaml_write.h"
#include "control/store/layers.h"

namespace trunkline::api {
namespace {

using config::Concat;
using google::protobuf::Message;
using Response = v1::ApplyConfigResponse;

// What a Change fails with when its results say more than it can.
absl::Status SeeResults() {
  return config::WithReason(absl::AbortedError("see the results"), "SEE_RESULTS");
}

Response::Action ActionOf(const store::Difference& difference) {
  if (difference.before == nullptr) return Response::ACTION_CREATED;
  return difference.after == nullptr ? Response::ACTION_DELETED : Response::ACTION_UPDATED;
}

}  // namespace

ConfigService::ConfigService(ResourceStore& store, const MethodTable& methods,
                             std::function<Time()> clock)
    : store_(store),
      kinds_(FindKinds(methods)),
      clock_(std::move(clock)),
      // What was refused may be mended by others.
      request_ids_({.keeps = [](const Message& answer) {
        return static_cast<const Response&>(answer).applied();
      }}) {}

Handlers ConfigService::MakeHandlers() {
  return {{"RouterService/GetConfig", [this](const auto& call) { GetConfig(*call); }},
          {"RouterService/ApplyConfig", [this](const auto& call) { ApplyConfig(call); }}};
}

void ConfigService::GetConfig(Call& call) const {
  v1::GetConfigResponse reply;
  reply.set_yaml(config::WriteYaml(store_.effective()));
  call.Reply(reply);
}

void ConfigService::ApplyConfig(const std::shared_ptr<Call>& call) {
  const auto& request = call->As<v1::ApplyConfigRequest>();
  request_ids_.Run(
      *call, request.validate_only() ? "" : request.request_id(), clock_(),
      [this, call](const RequestIds::Done& done) { Mutate(call, done); },
      RequestIds::AnswerTo(call));
}

void ConfigService::Mutate(const std::shared_ptr<Call>& call, const RequestIds::Done& done) {
  const bool validates = call->As<v1::ApplyConfigRequest>().validate_only();
  auto results = std::make_shared<Results>();
  const auto answer = [results, done, validates](const auto& outcome) {
    const bool refused = !outcome.ok() && config::ReasonOf(outcome.status()) == "SEE_RESULTS";
    if (!outcome.ok() && !refused) return done(outcome.status());
    auto reply = std::make_shared<Response>();
    if (outcome.ok()) {
      for (const store::Difference& each : outcome->differences) {
        Response::Result& result =
            (*results)[config::ResourceName(each.collection->name(), each.id)];
        result.set_action(ActionOf(each));
        result.set_impact(store::ImpactOf(each));
        if (each.after != nullptr) result.set_etag(config::EtagOf(*each.after));
      }
    }
    for (auto& [name, result] : *results) {
      result.set_name(name);
      *reply->add_results() = std::move(result);
    }
    reply->set_applied(outcome.ok() && !validates);
    done(std::shared_ptr<const Message>(std::move(reply)));
  };
  store_.Mutate(
      [this, call, results](config::Document& made) {
        return Edit(call->As<v1::ApplyConfigRequest>(), made, *results);
      },
      {validates ? ResourceStore::Mode::kValidate : ResourceStore::Mode::kApply,
       call->As<v1::ApplyConfigRequest>().allow_expired()},
      answer);
}

absl::Status ConfigService::Edit(const v1::ApplyConfigRequest& request, config::Document& made,
                                 Results& results) const {
  results.clear();
  Draft draft(store_.file(), made);
  const v1::ConfigBundle& bundle = request.bundle();
  // The kinds stand in this order: those that name others come first. So they are put last, when
  // what they name is there, and deleted first, so that none is in use.
  for (auto next = kinds_.rbegin(); next != kinds_.rend(); ++next) {
    const Kind& kind = *next;
    const auto* field = bundle.GetDescriptor()->FindFieldByName(kind.collection->section());
    for (int i = 0; i < bundle.GetReflection()->FieldSize(bundle, field); ++i) {
      Put(kind, bundle.GetReflection()->GetRepeatedMessage(bundle, field, i),
          Concat("bundle.", field->name(), "[", i, "]"), draft, results);
    }
  }
  if (request.prune()) {
    for (const Kind& kind : kinds_) Prune(kind, draft, results);
  }
  for (const auto& [name, result] : results) {
    if (result.status().code() != 0) return SeeResults();
  }
  return absl::OkStatus();
}

void ConfigService::Put(const Kind& kind, const Message& resource, const std::string& path,
                        Draft& draft, Results& results) const {
  const auto id = IdOf(*kind.collection, config::NameOf(resource), path + ".name");
  Response::Result& result = results[id.ok() ? config::NameOf(resource) : path];
  absl::Status status = id.status();
  if (id.ok() && result.action() != Response::ACTION_UNSPECIFIED) {
    status = config::WithViolations(absl::InvalidArgumentError(path + ".name: is there twice"),
                                    {{path + ".name", "is there twice"}});
  } else if (id.ok()) {
    api::Update update{.given = &resource, .allow_missing = true};
    update.mask.add_paths("*");
    status = Apply(ScopeOf(kind), *id, update, draft);
  }
  result.set_action(Response::ACTION_NONE);
  result.set_impact(v1::IMPACT_NONE);
  if (status.ok()) {
    if (const Message* now = kind.collection->Find(draft.made(), *id))
      result.set_etag(config::EtagOf(*now));
  } else {
    *result.mutable_status() = ToRpcStatus(status);
  }
}

void ConfigService::Prune(const Kind& kind, Draft& draft, Results& results) const {
  for (const std::string& id : kind.collection->Ids(draft.made())) {
    const std::string name = config::ResourceName(kind.collection->name(), id);
    if (results.contains(name)) continue;
    const absl::Status status = Remove(ScopeOf(kind), id, {}, draft);
    if (!status.ok()) *results[name].mutable_status() = ToRpcStatus(status);
  }
}

Scope ConfigService::ScopeOf(const Kind& kind) const {
  Scope scope;
  scope.collection = kind.collection;
  scope.field = kind.field;
  scope.place_of = [this, collection = kind.collection](const std::string& id) {
    return store_.PlaceOf(*collection, id);
  };
  return scope;
}

}  // namespace trunkline::api
