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

// One in so many places is for local callers.
constexpr int kLocalPart = 16;

// Lines about refused calls per second.
constexpr int kRefusalsTold = 10;

Refused WhyOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
      return Refused::kIdentity;
    case absl::StatusCode::kPermissionDenied:
      return Refused::kRole;
    case absl::StatusCode::kUnimplemented:
      return Refused::kMethod;
    default:
      return Refused::kRoom;
  }
}

}  // namespace

absl::StatusOr<Caller> Gate::CallerOf(std::string identity, std::string peer) {
  Caller caller;
  caller.identity = std::move(identity);
  caller.peer = std::move(peer);
  if (caller.identity.empty()) {
    return Refuse(caller, "",
                  config::WithReason(
                      absl::UnauthenticatedError("the caller's certificate has no SPIFFE id, URI, "
                                                 "DNS name or common name to know it by"),
                      "NO_IDENTITY"));
  }
  caller.role = caller.identity == kLocalIdentity ? v1::ACCESS_ROLE_ADMIN
                                                  : policy_.Get()->RoleOf(caller.identity);
  return caller;
}

absl::StatusOr<const Method*> Gate::Enter(std::string_view path, const Caller& caller) {
  absl::StatusOr<const Method*> method = Find(path, caller);
  if (!method.ok()) return Refuse(caller, path, method.status());
  return method;
}

absl::StatusOr<const Method*> Gate::Find(std::string_view path, const Caller& caller) {
  const Method* method = methods_.Find(path);
  if (method == nullptr) {
    return config::WithReason(absl::UnimplementedError("there is no such method"),
                              "METHOD_UNKNOWN");
  }
  TL_RETURN_IF_ERROR(Authorize(caller.identity, caller.role, *method));
  TL_RETURN_IF_ERROR(TakePlace(method->streams, caller));
  return method;
}

absl::Status Gate::TakePlace(bool streams, const Caller& caller) {
  int places_max = streams ? limits_.streams_max : limits_.calls_max;
  if (caller.identity != kLocalIdentity) places_max -= places_max / kLocalPart;
  if (Places(streams).fetch_add(1) < places_max) return absl::OkStatus();
  Places(streams).fetch_sub(1);
  return config::WithRetry(config::WithReason(absl::ResourceExhaustedError(config::Concat(
                                                  places_max, streams ? " streams" : " calls",
                                                  " are under way, which is the limit")),
                                              "TOO_MANY_CALLS"),
                           kRetryMilliseconds);
}

absl::Status Gate::Refuse(const Caller& caller, std::string_view path, absl::Status status) {
  Count(WhyOf(status));
  const int64_t second = ::time(nullptr);
  if (told_second_.exchange(second) != second) told_ = 0;
  if (told_.fetch_add(1) < kRefusalsTold) AuditRefused(caller, path, status);
  return status;
}

}  // namespace trunkline::api
