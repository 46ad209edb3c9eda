#include "control/api/password_files.h"

#include <optional>
#include <utility>

#include "control/api/authorize.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "google/protobuf/util/message_differencer.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

bool SendsTheSame(v1::ConnectorSpec before, v1::ConnectorSpec after) {
  before.clear_enabled();
  after.clear_enabled();
  return google::protobuf::util::MessageDifferencer::Equals(before, after);
}

}  // namespace

absl::Status CheckPasswordFile(const Call& call, const v1::Connector* before,
                               const v1::Connector& connector, const std::string& path) {
  if (connector.spec().sasl_password_file().empty()) return absl::OkStatus();
  if (before != nullptr && SendsTheSame(before->spec(), connector.spec())) return absl::OkStatus();
  Method as_admin = call.method();
  as_admin.role = v1::ACCESS_ROLE_ADMIN;
  const absl::Status denied = Authorize(call.caller().identity, call.caller().role, as_admin);
  if (denied.ok()) return denied;
  const std::string field = config::Concat(path, ".sasl_password_file");
  const std::string why =
      "is sent to the connector's host: an admin has to make and change connectors that have one; "
      "an operator may switch them on and off";
  absl::Status told(denied.code(), config::Concat(denied.message(), ", as ", field, " ", why));
  denied.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { told.SetPayload(url, payload); });
  return config::WithViolations(std::move(told), {{field, why}});
}

ResourceStore::Change WithPasswordFileChecked(std::shared_ptr<Call> call, const std::string& id,
                                              ResourceStore::Change edit) {
  return [call = std::move(call), id, edit = std::move(edit)](config::Document& made) {
    std::optional<v1::Connector> before;
    if (const auto found = made.connectors.find(id); found != made.connectors.end()) {
      before = found->second;
    }
    TL_RETURN_IF_ERROR(edit(made));
    const auto after = made.connectors.find(id);
    if (after == made.connectors.end()) return absl::OkStatus();
    return CheckPasswordFile(*call, before ? &*before : nullptr, after->second, "connector.spec");
  };
}

}  // namespace trunkline::api
