#include "control/daemon/telemetry.h"

#include <time.h>

#include <utility>

#include "router/base/log.h"

namespace trunkline::daemon {
namespace {

constexpr LogModule kLogModule = LogModule::kDaemon;

// The clock that turns are told by.
Time Now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return {int64_t{now.tv_sec} * kSecond.ns + now.tv_nsec};
}

http::ServerTls ToTls(const config::MetricsPlace& place,
                      const std::shared_ptr<const tls::Context>& context) {
  if (place.tls_profile.empty()) return {};
  switch (place.client_auth) {
    case TlsClientAuth::kRequest:
      return {context, tls::ClientAuth::kRequest};
    case TlsClientAuth::kRequire:
      return {context, tls::ClientAuth::kRequire};
    default:
      return {context, tls::ClientAuth::kNone};
  }
}

metrics::Endpoint::Paths PathsOf(const config::MetricsPlace& place) {
  return {.metrics = place.metrics, .probes = place.probes, .qdr_names = place.qdr_names};
}

// Whether the two are served by the same server, whatever it offers.
bool SameServer(const config::MetricsPlace& a, config::MetricsPlace b) {
  b.metrics = a.metrics;
  b.probes = a.probes;
  b.qdr_names = a.qdr_names;
  return a == b;
}

}  // namespace

Telemetry::Telemetry(const Router& router, metrics::Identity identity,
                     std::function<metrics::LogCounts()> log)
    : beat_ns_(Now().ns),
      endpoint_({.identity = std::move(identity),
                 .router = [&router] { return router.Metrics(); },
                 .log = std::move(log),
                 .now = Now,
                 .control_beat_ns = beat_ns_,
                 .http = stats_}) {}

Telemetry::~Telemetry() = default;

absl::Status Telemetry::Apply(const config::MetricsPlace& place, TlsContext context) {
  if (place == place_) return absl::OkStatus();
  if (!place.enabled) {
    if (std::exchange(server_, nullptr) != nullptr) TL_LOG(info, "metrics are not served any more");
    place_ = place;
    return absl::OkStatus();
  }
  if (!place.tls_profile.empty() && (context == nullptr || !context->has_certificate())) {
    return absl::FailedPreconditionError("tls_profile: it is not in force, or has no certificate");
  }
  if (server_ != nullptr && SameServer(place, place_)) {
    server_->Post([this, paths = PathsOf(place)] { endpoint_.Offer(paths); });
    if (context != nullptr) SetTlsContext(std::move(context));
    place_ = place;
    return absl::OkStatus();
  }
  absl::Status status = Listen(place, context);
  if (!status.ok() && server_ != nullptr && place.port == place_.port) {
    // Perhaps it is this very server that is in the way.
    server_.reset();
    status = Listen(place, context);
    if (!status.ok()) {
      // Somebody may have taken it meanwhile; then the next reload tries again.
      if (absl::Status again = Listen(place_, context_); !again.ok()) place_ = {};
      return status;
    }
  }
  if (!status.ok()) return status;
  place_ = place;
  context_ = std::move(context);
  return absl::OkStatus();
}

void Telemetry::SetTlsContext(TlsContext context) {
  context_ = context;
  if (server_ != nullptr) server_->SetTlsContext(std::move(context));
}

absl::Status Telemetry::Listen(const config::MetricsPlace& place, const TlsContext& context) {
  auto server =
      http::Server::Listen({.host = place.host, .port = place.port, .tls = ToTls(place, context)});
  if (!server.ok()) return server.status();
  server_ = *std::move(server);  // the one before has ended when this returns
  endpoint_.Tell(told_);
  endpoint_.Offer(PathsOf(place));
  server_->Serve([this](const http::Request& request) { return endpoint_.Handle(request); },
                 stats_);
  const char* const scheme = place.tls_profile.empty() ? "http" : "https";
  for (const std::string& address : server_->addresses()) {
    TL_LOG(info, "serving metrics", {"scheme", scheme}, {"address", address});
  }
  return absl::OkStatus();
}

void Telemetry::Tell(metrics::ControlState state) {
  told_ = std::move(state);
  if (server_ == nullptr) return;
  server_->Post([this, state = told_]() mutable { endpoint_.Tell(std::move(state)); });
}

}  // namespace trunkline::daemon
