#include "control/api/audit.h"

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "control/config/document.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "router/base/log.h"

namespace trunkline::api {
namespace {

constexpr LogModule kLogModule = LogModule::kControl;

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Response = v1::ApplyConfigResponse;

// Fields that name what is to be made, and the collection it will be in.
constexpr std::pair<std::string_view, std::string_view> kIds[] = {
    {"listener_id", config::kListeners},
    {"connector_id", config::kConnectors},
    {"tls_profile_id", config::kTlsProfiles},
    {"user_store_id", config::kUserStores},
    {"address_id", config::kAddresses}};

// As much of a caller's text as a line shows.
constexpr size_t kShownBytesMax = 256;

bool IsText(const FieldDescriptor* field) {
  return field != nullptr && !field->is_repeated() &&
         field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
}

// The text in the field `name`; empty if there is no such field.
std::string TextIn(const Message& message, const std::string& name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  return IsText(field) ? message.GetReflection()->GetString(message, field) : "";
}

// The text in the field `name` of the first message in `message` that has one.
std::string TextBelow(const Message& message, const std::string& name) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    std::string text = TextIn(message.GetReflection()->GetMessage(message, field), name);
    if (!text.empty()) return text;
  }
  return "";
}

// What something is to be from here on, "STATE_DISABLED"; empty: the call is not about that.
std::string StateIn(const Message& request) {
  const FieldDescriptor* field = request.GetDescriptor()->FindFieldByName("state");
  if (field == nullptr || field->is_repeated() || field->enum_type() == nullptr) return "";
  return request.GetReflection()->GetEnum(request, field)->name();
}

// Whether the call only asks what would happen.
bool IsTrial(const Message& request) {
  const FieldDescriptor* field = request.GetDescriptor()->FindFieldByName("validate_only");
  return field != nullptr && request.GetReflection()->GetBool(request, field);
}

std::string Shown(std::string text) { return config::Shorten(text, kShownBytesMax); }

// What became of one resource of a bundle; empty: it is as it was.
std::string_view WordOf(const Response::Result& result) {
  if (result.status().code() != 0) return "refused";
  switch (result.action()) {
    case Response::ACTION_CREATED:
      return "created";
    case Response::ACTION_UPDATED:
      return "updated";
    case Response::ACTION_DELETED:
      return "deleted";
    default:
      return "";
  }
}

absl::Status StatusOf(const google::rpc::Status& status) {
  absl::Status result(static_cast<absl::StatusCode>(status.code()), status.message());
  for (const auto& detail : status.details()) {
    result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return result;
}

// As below; one that is refused has an answer, but has failed.
void AuditBundle(const Call& call, const Response& reply, const absl::Status& status) {
  const Caller& caller = call.caller();
  const auto& request = call.As<v1::ApplyConfigRequest>();
  BundleOutcome outcome = OutcomeOf(reply);
  if (!status.ok()) outcome.status = status;
  TL_LOG(info, "api", {"method", call.method().key()}, {"identity", Shown(caller.identity)},
         {"peer", caller.peer}, {"resource", Shown(outcome.names)}, {"changes", outcome.changes},
         {"applied", reply.applied()}, {"validate_only", request.validate_only()},
         {"request_id", Shown(request.request_id())}, {"caller_gone", call.gone()},
         {"result", absl::StatusCodeToString(outcome.status.code())},
         {"reason", config::ReasonOf(outcome.status)},
         {"error", config::Shorten(config::View(outcome.status.message()), kShownBytesMax)});
}

}  // namespace

std::string SubjectOf(const Message& request) {
  std::string subject = TextIn(request, "name");
  if (subject.empty()) subject = TextBelow(request, "name");
  if (!subject.empty()) return subject;
  for (const auto& [field, collection] : kIds) {
    const std::string id = TextIn(request, std::string(field));
    if (!id.empty()) return config::ResourceName(collection, id);
  }
  return "";
}

std::string EtagIn(const Message& message) {
  std::string etag = TextIn(message, "etag");
  return etag.empty() ? TextBelow(message, "etag") : etag;
}

BundleOutcome OutcomeOf(const Response& reply) {
  BundleOutcome outcome;
  std::map<std::string_view, size_t> counts;
  for (const Response::Result& result : reply.results()) {
    const std::string_view word = WordOf(result);
    if (word.empty()) continue;
    if (++counts[word] == 1 && word == "refused") outcome.status = StatusOf(result.status());
    if (outcome.names.size() > kShownBytesMax) continue;
    outcome.names += (outcome.names.empty() ? "" : " ") + result.name();
  }
  for (const auto& [word, count] : counts) {
    outcome.changes += config::Concat(outcome.changes.empty() ? "" : ", ", count, " ", word);
  }
  return outcome;
}

void Audit(const Call& call, const Message* reply, const absl::Status& status) {
  const Caller& caller = call.caller();
  const Message& request = call.request();
  if (request.GetDescriptor() == v1::ApplyConfigRequest::descriptor()) {
    const auto* outcome = static_cast<const Response*>(reply);
    return AuditBundle(call, outcome == nullptr ? Response() : *outcome, status);
  }
  TL_LOG(info, "api", {"method", call.method().key()}, {"identity", Shown(caller.identity)},
         {"peer", caller.peer}, {"resource", Shown(SubjectOf(request))},
         {"state", StateIn(request)}, {"validate_only", IsTrial(request)},
         {"request_id", Shown(TextIn(request, "request_id"))},
         {"etag_asked", Shown(EtagIn(request))}, {"etag", reply == nullptr ? "" : EtagIn(*reply)},
         {"caller_gone", call.gone()}, {"result", absl::StatusCodeToString(status.code())},
         {"reason", config::ReasonOf(status)},
         {"error", config::Shorten(config::View(status.message()), kShownBytesMax)});
}

void AuditRefused(const Caller& caller, std::string_view path, const absl::Status& status) {
  TL_LOG(warning, "api call refused", {"method", config::Shorten(path, kShownBytesMax)},
         {"identity", Shown(caller.identity)}, {"peer", caller.peer},
         {"reason", config::ReasonOf(status)});
}

}  // namespace trunkline::api
