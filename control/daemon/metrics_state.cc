#include "control/daemon/metrics_state.h"

#include <utility>

#include "control/config/text.h"

namespace trunkline::daemon {
namespace {

std::string_view NameOf(v1::ConnectorStatus::State state) {
  switch (state) {
    case v1::ConnectorStatus::STATE_OPEN:
      return metrics::kConnectorStates[1];
    case v1::ConnectorStatus::STATE_BACKOFF:
      return metrics::kConnectorStates[2];
    default:
      return metrics::kConnectorStates[0];
  }
}

}  // namespace

void MetricsState::OnStarted(int64_t now_ms) {
  state_.started = true;
  state_.generation = 1;
  state_.configured_at_ms = now_ms;
}

void MetricsState::OnReloaded(int64_t now_ms, bool complete) {
  ++(complete ? state_.reloads_ok : state_.reloads_partial);
  ++state_.generation;
  state_.configured_at_ms = now_ms;
}

void MetricsState::OnReloadFailed(std::string_view problems) {
  ++state_.reloads_failed;
  for (auto& [id, certificate] : certificates_) {
    const std::string path = config::Concat("tls_profiles[", id, "]");
    if (problems.find(path) != std::string_view::npos) ++certificate.reloads_failed;
  }
}

const metrics::ControlState& MetricsState::Update(const std::map<std::string, Profile>& profiles,
                                                  const std::vector<TlsConnections>& connections,
                                                  const StatusBoard& board) {
  state_.certificates.clear();
  std::erase_if(certificates_, [&](const auto& one) { return !profiles.contains(one.first); });
  for (const auto& [id, now] : profiles) {
    const certs::Profile& profile = *now.profile;
    Certificate& certificate = certificates_[id];
    metrics::CertificateState& state = certificate.state;
    state.profile = id;
    state.leaf_not_after = profile.leaf.subject.empty() ? 0 : profile.leaf.not_after;
    state.ca_not_after = profile.ca_not_after;
    if (std::exchange(certificate.fingerprint, profile.fingerprint) != profile.fingerprint) {
      if (++state.revision > 1) ++state.reloads_ok;
    }
    state.reloads_failed = certificate.reloads_failed + now.refused;
    state.connections_current = 0;
    state.connections_retired = 0;
  }
  for (const TlsConnections& use : connections) {
    const auto found = certificates_.find(use.profile);
    if (found == certificates_.end()) continue;
    metrics::CertificateState& state = found->second.state;
    const bool is_current = use.revision == profiles.at(use.profile).revision;
    (is_current ? state.connections_current : state.connections_retired) += use.connections;
  }
  for (const auto& [id, certificate] : certificates_) {
    state_.certificates.push_back(certificate.state);
  }
  state_.connectors.clear();
  for (const auto& [name, status] : board.connectors()) {
    state_.connectors.push_back({name, NameOf(status.state())});
  }
  return state_;
}

}  // namespace trunkline::daemon
