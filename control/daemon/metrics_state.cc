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

metrics::MethodCalls CallsOf(const api::Method& method, const api::Tally::Calls& calls) {
  metrics::MethodCalls told;
  told.service = method.service;
  told.method = method.name;
  told.streams = method.streams;
  told.open = calls.open;
  for (const auto& [code, count] : calls.ended)
    told.ended.push_back({absl::StatusCodeToString(code), count});
  told.duration.bounds = api::Tally::Durations::kBounds;
  told.duration.sum = calls.durations.Sum();
  for (size_t i = 0; i < api::Tally::Durations::kBuckets; ++i) {
    told.duration.counts.push_back(calls.durations.In(i));
  }
  return told;
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

void MetricsState::SetCalls(const api::Tally& tally,
                            const std::function<uint64_t(api::Refused)>& refused) {
  state_.calls.clear();
  for (const auto& [method, calls] : tally.calls()) {
    state_.calls.push_back(CallsOf(*method, calls));
  }
  using api::Refused;
  state_.calls_denied = {{"no_identity", refused(Refused::kIdentity)},
                         {"role_required", refused(Refused::kRole)}};
  state_.calls_refused = {{"method_unknown", refused(Refused::kMethod)},
                          {"too_many_calls", refused(Refused::kRoom)},
                          {"malformed_request", refused(Refused::kRequest)}};
}

void MetricsState::SetStore(uint64_t failed, uint64_t writes_ok, uint64_t writes_failed) {
  state_.resources_failed = failed;
  state_.state_writes_ok = writes_ok;
  state_.state_writes_failed = writes_failed;
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
