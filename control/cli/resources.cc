#include "control/cli/resources.h"

#include <algorithm>
#include <vector>

#include "control/cli/fields.h"
#include "control/cli/router_settings.h"
#include "control/cli/table.h"
#include "control/config/document.h"
#include "control/config/resource.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "google/protobuf/field_mask.pb.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::SetText;
using google::protobuf::Message;

}  // namespace

void SetFlag(Message& message, const char* field, bool flag) {
  message.GetReflection()->SetBool(&message, message.GetDescriptor()->FindFieldByName(field), flag);
}

absl::Status ReadAllowExpired(const Session& session, Message& request) {
  constexpr char kField[] = "allow_expired";
  if (!session.arguments().Has("allow-expired")) return absl::OkStatus();
  if (request.GetDescriptor()->FindFieldByName(kField) == nullptr) {
    return absl::InvalidArgumentError("--allow-expired: only TLS profiles have certificates");
  }
  SetFlag(request, kField, true);
  return absl::OkStatus();
}

std::string NameFor(const api::Kind& kind, const std::string& word) {
  const std::string prefix = kind.collection->name() + "/";
  return word.starts_with(prefix) ? word : prefix + word;
}

absl::StatusOr<Target> TargetOf(const Session& session, std::string_view usage) {
  if (session.words().size() < 2) return absl::InvalidArgumentError(Concat("give ", usage));
  TL_ASSIGN_OR_RETURN(const api::Kind* kind, session.FindKind(session.words()[0]));
  return Target{kind, NameFor(*kind, session.words()[1])};
}

std::string Done(const Session& session, const std::string& name, std::string_view what,
                 const Message& change) {
  if (api::FlagOf(change, "unchanged")) return Concat(name, " unchanged\n");
  std::string impact = CellOf(change, "impact", 0);
  std::replace(impact.begin(), impact.end(), '_', ' ');
  return Concat(name, " ", session.arguments().Has("dry-run") ? "would be " : "", what,
                " (impact: ", impact, ")\n");
}

absl::Status Create(Session& session) {
  TL_ASSIGN_OR_RETURN(const Target target, TargetOf(session, "KIND ID [FIELD=VALUE...]"));
  const auto request = target.kind->create->NewRequest();
  Message& resource = api::MutableMessageOf(*request, target.kind->field);
  std::vector<std::string> paths;
  TL_RETURN_IF_ERROR(ReadFields(session.words(), 2, resource, paths));
  TL_RETURN_IF_ERROR(ReadLabels(session.arguments().GetAll("label"), resource, paths));
  SetText(*request, target.kind->id_field.c_str(), std::string(config::ResourceId(target.name)));
  SetFlag(*request, "validate_only", session.arguments().Has("dry-run"));
  TL_RETURN_IF_ERROR(ReadAllowExpired(session, *request));
  const auto reply = target.kind->create->NewReply();
  TL_RETURN_IF_ERROR(session.Call(target.kind->create->key(), *request, *reply));
  session.Print(Done(session, target.name, "created", *reply));
  return absl::OkStatus();
}

absl::Status Set(Session& session) {
  if (IsRouter(session)) return SetRouter(session);
  TL_ASSIGN_OR_RETURN(const Target target, TargetOf(session, "KIND ID FIELD=VALUE..."));
  const auto request = target.kind->update->NewRequest();
  Message& resource = api::MutableMessageOf(*request, target.kind->field);
  std::vector<std::string> paths;
  TL_RETURN_IF_ERROR(ReadFields(session.words(), 2, resource, paths));
  TL_RETURN_IF_ERROR(ReadLabels(session.arguments().GetAll("label"), resource, paths));
  if (paths.empty()) return absl::InvalidArgumentError("give FIELD=VALUE... or --label");
  SetText(resource, "name", target.name);
  SetText(resource, "etag", session.arguments().Get("etag"));
  auto& mask =
      static_cast<google::protobuf::FieldMask&>(api::MutableMessageOf(*request, "update_mask"));
  for (const std::string& path : paths) mask.add_paths(path);
  SetFlag(*request, "validate_only", session.arguments().Has("dry-run"));
  TL_RETURN_IF_ERROR(ReadAllowExpired(session, *request));
  const auto reply = target.kind->update->NewReply();
  TL_RETURN_IF_ERROR(session.Call(target.kind->update->key(), *request, *reply));
  session.Print(Done(session, target.name, "changed", *reply));
  return absl::OkStatus();
}

absl::Status Delete(Session& session) {
  TL_ASSIGN_OR_RETURN(const Target first, TargetOf(session, "KIND ID..."));
  const std::vector<std::string>& words = session.words();
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string name = NameFor(*first.kind, words[i]);
    const auto request = first.kind->remove->NewRequest();
    SetText(*request, "name", name);
    SetText(*request, "etag", session.arguments().Get("etag"));
    SetFlag(*request, "allow_missing", session.arguments().Has("ignore-not-found"));
    SetFlag(*request, "validate_only", session.arguments().Has("dry-run"));
    const auto reply = first.kind->remove->NewReply();
    TL_RETURN_IF_ERROR(session.Call(first.kind->remove->key(), *request, *reply));
    const bool was_there = api::HasMessage(*reply, first.kind->field);
    session.Print(was_there ? Done(session, name, "deleted", *reply)
                            : Concat(name, " was not there\n"));
  }
  return absl::OkStatus();
}

}  // namespace trunkline::cli
