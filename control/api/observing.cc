#include "control/api/observing.h"

#include "control/config/error_details.h"
#include "control/config/text.h"

namespace trunkline::api {
namespace {

constexpr int64_t kRetryMilliseconds = 1000;

}  // namespace

absl::Status Observing::Observe(const ObserveWish& wish, Done done) {
  const auto request = ask_(wish);
  if (absl::IsResourceExhausted(request.status())) {
    return config::WithReason(config::WithRetry(request.status(), kRetryMilliseconds),
                              "TOO_MANY_OBSERVATIONS");
  }
  if (!request.ok()) {
    return config::WithReason(absl::UnavailableError(request.status().message()), "STOPPING");
  }
  waiting_[*request] = std::move(done);
  return absl::OkStatus();
}

void Observing::OnObserved(const Observed& answer) {
  const auto found = waiting_.extract(answer.request);
  if (found) found.mapped()(*answer.snapshot);
}

google::protobuf::Timestamp WallClock::At(Time time) const {
  const int64_t nanoseconds = time.ns + ahead_;
  google::protobuf::Timestamp at;
  at.set_seconds(nanoseconds / kSecond.ns);
  at.set_nanos(static_cast<int32_t>(nanoseconds % kSecond.ns));
  return at;
}

}  // namespace trunkline::api
