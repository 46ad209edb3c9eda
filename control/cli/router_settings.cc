#include "control/cli/router_settings.h"

#include <algorithm>
#include <string>
#include <vector>

#include "control/cli/fields.h"
#include "control/cli/output.h"
#include "control/cli/resources.h"
#include "control/cli/table.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "control/config/yaml_write.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using google::protobuf::FieldDescriptor;

absl::StatusOr<v1::Router> Ask(Session& session) {
  v1::Router router;
  TL_RETURN_IF_ERROR(session.Call("RouterService/GetRouter", v1::GetRouterRequest(), router));
  return router;
}

// Where a field of the spec is from.
std::string_view OriginOf(const v1::Router& router, const FieldDescriptor& field) {
  const auto& over_api = router.set_over_api().paths();
  if (std::find(over_api.begin(), over_api.end(), field.name()) != over_api.end()) return "API";
  const bool is_set = router.spec().GetReflection()->HasField(router.spec(), &field);
  return is_set ? "file" : "default";
}

// As it is written in trunkline.yaml, and behind `set router`.
std::string ValueOf(const v1::Router& router, const FieldDescriptor& field) {
  const std::string value = CellOf(router, Concat("spec.", field.name()), 0);
  const std::string& zero = config::RulesOf(field).zero_name();
  if (value == "0" && !zero.empty()) return zero;
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_BOOL) return value;
  return value == "yes" || value == "true" ? "true" : "false";
}

Table FieldsOf(const v1::Router& router) {
  Table table({"FIELD", "VALUE", "FROM"});
  const google::protobuf::Descriptor& type = *v1::RouterSpec::descriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    table.Add({field.name(), ValueOf(router, field), std::string(OriginOf(router, field))});
  }
  return table;
}

}  // namespace

bool IsRouter(const Session& session) {
  return !session.words().empty() && session.words()[0] == kRouter;
}

absl::Status GetRouter(Session& session) {
  if (session.arguments().Has("watch")) {
    return absl::InvalidArgumentError("the router is not watched; events -w tells its changes");
  }
  if (session.words().size() > 1) return absl::InvalidArgumentError("there is one router: no ID");
  TL_ASSIGN_OR_RETURN(const Output output, Output::For(session));
  TL_ASSIGN_OR_RETURN(const v1::Router router, Ask(session));
  const bool with_headers = !session.arguments().Has("no-headers");
  if (output.IsTable()) {
    session.Print(FieldsOf(router).Text(with_headers, session.colours()));
  } else if (output.form() == Output::Form::kCsv) {
    session.Print(FieldsOf(router).Csv(with_headers));
  } else if (output.form() == Output::Form::kYaml) {
    config::Document document;
    document.router = router.spec();
    session.Print(config::WriteYaml(document));
  } else {
    session.Print(output.Text(session, {&router}, {}, Output::Number::kOne));
  }
  return absl::OkStatus();
}

absl::Status SetRouter(Session& session) {
  if (session.arguments().Has("label")) {
    return absl::InvalidArgumentError("--label: the router has no labels");
  }
  v1::UpdateRouterRequest request;
  TL_RETURN_IF_ERROR(ReadAllowExpired(session, request));
  std::vector<std::string> paths;
  TL_RETURN_IF_ERROR(ReadFields(session.words(), 1, *request.mutable_router(), paths));
  if (paths.empty()) return absl::InvalidArgumentError("give router FIELD=VALUE...");
  for (const std::string& path : paths) request.mutable_update_mask()->add_paths(path);
  request.mutable_router()->set_etag(session.arguments().Get("etag"));
  return UpdateRouter(session, request);
}

absl::Status UpdateRouter(Session& session, v1::UpdateRouterRequest& request) {
  request.set_validate_only(session.arguments().Has("dry-run"));
  v1::RouterChange change;
  TL_RETURN_IF_ERROR(session.Call("RouterService/UpdateRouter", request, change));
  session.Print(Done(session, std::string(kRouter), "changed", change));
  return absl::OkStatus();
}

}  // namespace trunkline::cli
