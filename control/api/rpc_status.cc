#include "control/api/rpc_status.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "control/config/characters.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "proto/google/rpc/error_details.pb.h"

namespace trunkline::api {
namespace {

using config::Concat;
using google::protobuf::Any;

constexpr std::string_view kTypes = "type.googleapis.com/";

// Takes entries of `list` away, from the end, until the detail fits into `bytes_max`; false: it
// does not even without.
template <typename Detail>
bool Shrink(Any& any, size_t bytes_max, const char* list) {
  Detail detail;
  if (!any.UnpackTo(&detail)) return false;
  const google::protobuf::Reflection& reflection = *detail.GetReflection();
  const auto* field = detail.GetDescriptor()->FindFieldByName(list);
  while (any.ByteSizeLong() > bytes_max) {
    if (reflection.FieldSize(detail, field) == 0) return false;
    reflection.RemoveLast(&detail, field);
    any.PackFrom(detail);
  }
  return true;
}

bool Fits(Any& any, size_t bytes_max) {
  if (any.ByteSizeLong() <= bytes_max) return true;
  using google::rpc::BadRequest;
  using google::rpc::PreconditionFailure;
  if (any.Is<BadRequest>()) return Shrink<BadRequest>(any, bytes_max, "field_violations");
  return any.Is<PreconditionFailure>() && Shrink<PreconditionFailure>(any, bytes_max, "violations");
}

// The standard messages among the payloads of `status`, the ErrorInfo first.
std::vector<Any> DetailsOf(const absl::Status& status) {
  std::vector<Any> details;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    if (!config::View(url).starts_with(kTypes)) return;
    Any any;
    any.set_type_url(std::string(url));
    any.set_value(std::string(payload));
    const bool is_info = any.Is<google::rpc::ErrorInfo>();
    details.insert(is_info ? details.begin() : details.end(), std::move(any));
  });
  return details;
}

}  // namespace

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status answer;
  answer.set_code(static_cast<int>(status.code()));
  if (status.ok()) return answer;
  answer.set_message(
      config::Shorten(config::ToUtf8(config::View(status.message())), kRpcMessageBytesMax));
  const bool has_reason = !config::ReasonOf(status).empty();
  for (Any& detail : DetailsOf(
           has_reason ? status
                      : config::WithReason(status, absl::StatusCodeToString(status.code())))) {
    const size_t used = answer.ByteSizeLong();
    constexpr size_t kFieldOverhead = 8;  // its tag and length
    if (used + kFieldOverhead >= kRpcStatusBytesMax) break;
    if (!Fits(detail, kRpcStatusBytesMax - used - kFieldOverhead)) continue;
    *answer.add_details() = std::move(detail);
  }
  return answer;
}

}  // namespace trunkline::api
