#include <utility>

#include "control/config/translate.h"
#include "control/daemon/daemon.h"
#include "router/base/log.h"

// Where the daemon has metrics served, and with which certificate.
namespace trunkline::daemon {
namespace {

constexpr LogModule kLogModule = LogModule::kDaemon;

}  // namespace

absl::Status Daemon::ServeMetrics() {
  const config::MetricsPlace place = config::ToPlace(store_->file().metrics);
  return telemetry_->Apply(place, TlsContextOf(place.tls_profile));
}

// Who serves without TLS has no profile; the configuration may name another one by now, which
// ServeMetrics is told of.
void Daemon::FollowMetricsCertificate() {
  if (telemetry_->tls_profile().empty()) return;
  auto context = TlsContextOf(telemetry_->tls_profile());
  if (context == nullptr) return;
  if (!context->has_certificate()) {
    TL_LOG(error, "metrics keep their certificate: the profile has none",
           {"tls_profile", telemetry_->tls_profile()});
    return;
  }
  telemetry_->SetTlsContext(std::move(context));
}

// Null: no profile of this name is in force.
std::shared_ptr<const tls::Context> Daemon::TlsContextOf(const std::string& profile) const {
  const auto found = store_->in_force().profiles.find(profile);
  return found == store_->in_force().profiles.end() ? nullptr : found->second.context;
}

}  // namespace trunkline::daemon
