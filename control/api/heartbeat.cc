#include "control/api/heartbeat.h"

#include <string>

#include "control/api/kind.h"
#include "control/config/error_details.h"
#include "control/config/schema.h"
#include "control/config/text.h"

namespace trunkline::api {
namespace {

constexpr Duration kHeartbeatDefault = kSecond * 30;
constexpr Duration kHeartbeatMin = kSecond;
constexpr Duration kHeartbeatMax = kMinute * 60 * 24;

}  // namespace

absl::StatusOr<Duration> HeartbeatOf(const google::protobuf::Message& request) {
  if (!HasMessage(request, "heartbeat")) return kHeartbeatDefault;
  google::protobuf::Duration given;
  given.CopyFrom(MessageOf(request, "heartbeat"));
  const int64_t milliseconds = config::ToMilliseconds(given);
  const bool is_none = given.seconds() == 0 && given.nanos() == 0;
  if (!is_none && (milliseconds < kHeartbeatMin.milliseconds() ||
                   milliseconds > kHeartbeatMax.milliseconds())) {
    const std::string why =
        config::Concat(config::FormatDuration(milliseconds), " is neither 0s nor in 1s..24h");
    return config::WithViolations(absl::InvalidArgumentError("heartbeat: " + why),
                                  {{"heartbeat", why}});
  }
  return Milliseconds(milliseconds);
}

}  // namespace trunkline::api
