#include "control/api/router_section.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "control/api/mask.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "control/store/layers.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using config::Concat;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kName[] = "router";

// OK for no name at all.
absl::Status CheckName(const std::string& name) {
  if (name.empty() || name == kName) return absl::OkStatus();
  return config::WithReason(absl::NotFoundError(Concat("there is no ", config::Quote(name),
                                                       "; the router is \"router\"")),
                            "NOT_FOUND");
}

absl::Status CheckEtag(const std::string& wanted, const std::string& current) {
  if (wanted.empty() || wanted == current) return absl::OkStatus();
  return config::WithReason(
      absl::AbortedError(Concat("the router has been changed meanwhile: its etag is ", current,
                                "; read it again")),
      "ETAG_MISMATCH", {{"resource_name", kName}, {"current_etag", current}});
}

void Copy(const FieldDescriptor& field, v1::RouterSpec from, v1::RouterSpec& to) {
  to.GetReflection()->ClearField(&to, &field);
  to.GetReflection()->SwapFields(&to, &from, {&field});
}

// Also in whether they have it.
bool IsSame(const FieldDescriptor& field, const v1::RouterSpec& a, const v1::RouterSpec& b) {
  v1::RouterSpec of_a, of_b;
  Copy(field, a, of_a);
  Copy(field, b, of_b);
  return of_a.SerializeAsString() == of_b.SerializeAsString();
}

// The field itself, and not "spec" or all.
bool IsNamed(const FieldDescriptor& field, const google::protobuf::FieldMask& mask) {
  const std::string path = "spec." + field.name();
  return std::any_of(mask.paths().begin(), mask.paths().end(), [&](const std::string& each) {
    return each == path || each.starts_with(path + ".");
  });
}

// What the store says of the router's section is said of the request:
// "router.max_connections" → "router.spec.max_connections". The rest stays as it is.
absl::Status InRequest(const absl::Status& status) {
  constexpr std::string_view kSection = "router.";
  std::vector<config::FieldViolation> violations = config::ViolationsOf(status);
  if (violations.empty()) return status;
  std::string text;
  for (config::FieldViolation& each : violations) {
    if (each.field.starts_with(kSection)) each.field.insert(kSection.size(), "spec.");
    absl::StrAppend(&text, text.empty() ? "" : "; ", each.field, ": ", each.description);
  }
  absl::Status changed(status.code(), text);
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { changed.SetPayload(url, payload); });
  return config::WithViolations(std::move(changed), violations);
}

}  // namespace

Handlers RouterSection::MakeHandlers() {
  Handlers handlers;
  handlers["RouterService/GetRouter"] = [this](auto call) { Get(*call); };
  handlers["RouterService/UpdateRouter"] = [this](auto call) { Update(call); };
  return handlers;
}

void RouterSection::Get(Call& call) const {
  if (absl::Status status = CheckName(call.As<v1::GetRouterRequest>().name()); !status.ok()) {
    return call.Finish(status);
  }
  call.Reply(store::RouterOf(store_.file(), store_.effective()));
}

void RouterSection::Update(const std::shared_ptr<Call>& call) {
  const auto& request = call->As<v1::UpdateRouterRequest>();
  if (!request.has_router()) {
    return call->Finish(config::WithViolations(absl::InvalidArgumentError("router: is required"),
                                               {{"router", "is required"}}));
  }
  if (absl::Status status = CheckName(request.router().name()); !status.ok()) {
    return call->Finish(status);
  }
  request_ids_.Run(
      *call, request.validate_only() ? "" : request.request_id(), clock_(),
      [this, call](const RequestIds::Done& done) { Mutate(call, done); },
      RequestIds::AnswerTo(call));
}

void RouterSection::Mutate(const std::shared_ptr<Call>& call, const RequestIds::Done& done) {
  const bool validates = call->As<v1::UpdateRouterRequest>().validate_only();
  auto change = std::make_shared<v1::RouterChange>();
  store_.Mutate(
      [this, call, change](config::Document& made) {
        return Edit(call->As<v1::UpdateRouterRequest>(), made, *change);
      },
      validates ? ResourceStore::Mode::kValidate : ResourceStore::Mode::kApply,
      [change, done, validates](const absl::StatusOr<ResourceStore::Outcome>& outcome) {
        if (!outcome.ok()) return done(InRequest(outcome.status()));
        change->set_persisted(outcome->persisted && !validates);
        done(std::shared_ptr<const Message>(change));
      });
}

absl::Status RouterSection::Edit(const v1::UpdateRouterRequest& request, config::Document& made,
                                 v1::RouterChange& change) const {
  const v1::Router before = store::RouterOf(store_.file(), store_.effective());
  TL_RETURN_IF_ERROR(CheckEtag(request.router().etag(), before.etag()));
  v1::Router wanted = before;
  TL_RETURN_IF_ERROR(ApplyMask(request.update_mask(), request.router(), wanted));
  wanted.DiscardUnknownFields();
  const google::protobuf::Descriptor& type = *v1::RouterSpec::descriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (IsSame(field, before.spec(), wanted.spec())) continue;
    const auto& reflection = *wanted.spec().GetReflection();
    const bool is_put_back = !reflection.HasField(wanted.spec(), &field);
    // Who gives the whole spec may leave out what is not his to set.
    if (is_put_back && !IsNamed(field, request.update_mask())) {
      made.router.GetReflection()->ClearField(&made.router, &field);
      continue;
    }
    TL_RETURN_IF_ERROR(Set(field, wanted.spec(), made.router));
  }
  config::Document both;
  both.router = store_.file().router;
  both.router.MergeFrom(made.router);
  *change.mutable_router() = store::RouterOf(store_.file(), both);
  change.set_impact(store::ImpactOf(before.spec(), both.router));
  change.set_unchanged(change.router().etag() == before.etag());
  return absl::OkStatus();
}

absl::Status RouterSection::Set(const FieldDescriptor& field, const v1::RouterSpec& wanted,
                                v1::RouterSpec& made) const {
  const std::string path = "router.spec." + field.name();
  if (!store::IsSetOverApi(field)) {
    const std::string why =
        "cannot be changed while the router runs; change it in the configuration file and restart";
    return config::WithReason(absl::FailedPreconditionError(Concat(path, ": ", why)),
                              "RESTART_REQUIRED", {{"resource_name", kName}, {"field", path}});
  }
  const v1::RouterSpec& file = store_.file().router;
  if (file.GetReflection()->HasField(file, &field)) {
    const std::string place = store_.PlaceOf("router." + field.name());
    const std::string why =
        Concat("comes from ", place, "; change it there, the file is read again");
    return config::WithReason(absl::FailedPreconditionError(Concat(path, ": ", why)),
                              "READ_ONLY_SOURCE",
                              {{"resource_name", kName}, {"field", path}, {"place", place}});
  }
  Copy(field, wanted, made);
  return absl::OkStatus();
}

}  // namespace trunkline::api
