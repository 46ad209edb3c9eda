#include "control/api/audit.h"

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

std::string Shown(std::string text) { return config::Shorten(text, kShownBytesMax); }

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

void Audit(const Call& call, const std::string& etag, const absl::Status& status) {
  const Caller& caller = call.caller();
  const Message& request = call.request();
  TL_LOG(info, "api", {"method", call.method().key()}, {"identity", Shown(caller.identity)},
         {"peer", caller.peer}, {"resource", Shown(SubjectOf(request))},
         {"state", StateIn(request)}, {"request_id", Shown(TextIn(request, "request_id"))},
         {"etag_asked", Shown(EtagIn(request))}, {"etag", etag}, {"caller_gone", call.gone()},
         {"result", absl::StatusCodeToString(status.code())}, {"reason", config::ReasonOf(status)},
         {"error", config::Shorten(config::View(status.message()), kShownBytesMax)});
}

void AuditRefused(const Caller& caller, std::string_view path, const absl::Status& status) {
  TL_LOG(warning, "api call refused", {"method", config::Shorten(path, kShownBytesMax)},
         {"identity", Shown(caller.identity)}, {"peer", caller.peer},
         {"reason", config::ReasonOf(status)});
}

}  // namespace trunkline::api
