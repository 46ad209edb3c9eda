#include "control/api/gate.h"

#include <time.h>

#include <utility>

#include "control/api/audit.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

// When somebody who found no room may come again.
constexpr int64_t kRetryMilliseconds = 1000;

// Lines about refused calls per second.
constexpr int kRefusalsTold = 10;

}  // namespace

absl::StatusOr<Caller> Gate::CallerOf(std::string identity, std::string peer) const {
  if (identity.empty()) {
    return config::WithReason(
        absl::UnauthenticatedError("the caller's certificate has no SPIFFE id, URI, DNS name or "
                                   "common name to know it by"),
        "NO_IDENTITY");
  }
  Caller caller;
  caller.role =
      identity == kLocalIdentity ? v1::ACCESS_ROLE_ADMIN : policy_.Get()->RoleOf(identity);
  caller.identity = std::move(identity);
  caller.peer = std::move(peer);
  return caller;
}

absl::StatusOr<const Method*> Gate::Enter(std::string_view path, const Caller& caller) {
  absl::StatusOr<const Method*> method = Find(path, caller);
  if (!method.ok()) {
    refused_.fetch_add(1);
    if (MayTellRefusal()) AuditRefused(caller, path, method.status());
  }
  return method;
}

absl::StatusOr<const Method*> Gate::Find(std::string_view path, const Caller& caller) {
  const Method* method = methods_.Find(path);
  if (method == nullptr) {
    return config::WithReason(absl::UnimplementedError("there is no such method"),
                              "METHOD_UNKNOWN");
  }
  TL_RETURN_IF_ERROR(Authorize(caller.identity, caller.role, *method));
  TL_RETURN_IF_ERROR(TakePlace(method->streams));
  return method;
}

absl::Status Gate::TakePlace(bool streams) {
  const int places_max = streams ? limits_.streams_max : limits_.calls_max;
  if (Places(streams).fetch_add(1) < places_max) return absl::OkStatus();
  Places(streams).fetch_sub(1);
  return config::WithRetry(config::WithReason(absl::ResourceExhaustedError(config::Concat(
                                                  places_max, streams ? " streams" : " calls",
                                                  " are under way, which is the limit")),
                                              "TOO_MANY_CALLS"),
                           kRetryMilliseconds);
}

bool Gate::MayTellRefusal() {
  const int64_t second = ::time(nullptr);
  if (told_second_.exchange(second) != second) told_ = 0;
  return told_.fetch_add(1) < kRefusalsTold;
}

}  // namespace trunkline::api
