#include "router/net/owners.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace trunkline::net {
namespace {

using conn::LifeStats;
using conn::Mechanism;

constexpr std::array<std::string_view, conn::kEndReasons> kEndNames = {
    "peer", "idle_timeout", "error", "admin", "drain", "limit"};
constexpr std::array<std::string_view, conn::kStages> kStageNames = {"tls", "sasl", "protocol",
                                                                     "open"};
constexpr std::array<std::string_view, kRefusals> kRefusalNames = {
    "listener_full", "router_full", "unopened", "descriptors", "system"};
constexpr std::array<std::string_view, tls::kHandshakeResults> kTlsNames = {
    "ok", "no_client_cert", "unknown_ca", "expired", "protocol", "other"};
constexpr std::array<std::string_view, conn::kMechanisms> kMechanismNames = {
    "ANONYMOUS", "EXTERNAL", "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "other"};

std::bitset<conn::kMechanisms> MechanismsOf(const std::vector<std::string>& names) {
  std::bitset<conn::kMechanisms> mechanisms;
  for (const std::string& name : names) {
    const auto found = std::find(kMechanismNames.begin(), kMechanismNames.end() - 1, name);
    mechanisms.set(static_cast<size_t>(found - kMechanismNames.begin()));
  }
  return mechanisms;
}

// Those that the listener offers when its configuration names none.
std::bitset<conn::kMechanisms> DefaultsOf(const ListenerSpec& spec) {
  std::bitset<conn::kMechanisms> mechanisms;
  const auto set = [&](Mechanism mechanism, bool is_offered) {
    mechanisms.set(static_cast<size_t>(mechanism), is_offered);
  };
  const bool has_users = !spec.user_store.empty();
  const bool is_hidden = !spec.connection.tls_profile.empty();
  set(Mechanism::kAnonymous, !spec.require_sasl);
  set(Mechanism::kExternal, spec.tls_client_auth != TlsClientAuth::kNone);
  set(Mechanism::kScramSha1, has_users);
  set(Mechanism::kScramSha256, has_users);
  set(Mechanism::kPlain, has_users && (is_hidden || spec.connection.allow_insecure_plain));
  return mechanisms;
}

template <size_t kNames, size_t kSize>
void AddUp(const std::array<std::string_view, kNames>& names,
           const std::array<Counter, kSize>& from, std::vector<NamedCount>& to) {
  static_assert(kNames == kSize);
  if (to.empty()) {
    for (std::string_view name : names) to.push_back({name, 0});
  }
  for (size_t i = 0; i < kSize; ++i) to[i].count += from[i].Get();
}

void AddUp(const LifeStats& from, std::vector<SaslCount>& to) {
  if (to.empty()) {
    for (std::string_view name : kMechanismNames) to.push_back({.mechanism = name});
  }
  for (size_t i = 0; i < conn::kMechanisms; ++i) {
    to[i].ok += from.sasl_ok[i].Get();
    to[i].denied += from.sasl_denied[i].Get();
    to[i].error += from.sasl_error[i].Get();
  }
}

}  // namespace

void Owners::Put(const ListenerSpec& spec) {
  const std::vector<std::string>& named = spec.connection.sasl_mechanisms;
  Put({true, spec.name}, {.role = spec.connection.role,
                          .mechanisms = named.empty() ? DefaultsOf(spec) : MechanismsOf(named)});
}

// What a connector uses is the peer's choice as well.
void Owners::Put(const ConnectorSpec& spec) {
  Put({false, spec.name},
      {.role = spec.connection.role, .mechanisms = MechanismsOf(spec.connection.sasl_mechanisms)});
}

void Owners::Put(const Name& name, const Description& description) {
  const std::lock_guard lock(mutex_);
  Owner& owner = owners_[name];
  if (owner.meter == nullptr) owner.meter = std::make_shared<Meter>(workers_);
  owner.description = description;
}

void Owners::Remove(const Name& name) {
  const std::lock_guard lock(mutex_);
  owners_.erase(name);
}

std::shared_ptr<Owners::Meter> Owners::MeterOf(const Name& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = owners_.find(name);
  return found == owners_.end() ? nullptr : found->second.meter;
}

std::shared_ptr<LifeStats> Owners::StatsOf(const Name& name, core::ShardId worker) const {
  std::shared_ptr<Meter> meter = MeterOf(name);
  if (meter == nullptr) return nullptr;
  LifeStats* stats = &meter->workers[worker];
  return {std::move(meter), stats};
}

void Owners::CountRefused(const std::string& listener, Refusal why) {
  if (const auto meter = MeterOf({true, listener})) meter->refused[static_cast<size_t>(why)].Add();
}

void Owners::CountUnreached(const std::string& connector) {
  if (const auto meter = MeterOf({false, connector})) meter->unreached.Add();
}

std::vector<OwnerMetrics> Owners::Read() const {
  std::vector<std::pair<Name, Owner>> owners;
  {
    const std::lock_guard lock(mutex_);
    owners = {owners_.begin(), owners_.end()};
  }
  std::vector<OwnerMetrics> metrics;
  for (const auto& [name, owner] : owners) metrics.push_back(ReadOne(name, owner));
  return metrics;
}

OwnerMetrics Owners::ReadOne(const Name& name, const Owner& owner) {
  const bool inbound = name.inbound;
  OwnerMetrics metrics{.name = name.name, .inbound = inbound, .role = owner.description.role};
  if (!inbound) metrics.failed.push_back({"tcp", owner.meter->unreached.Get()});
  std::vector<NamedCount> stages;
  for (const LifeStats& stats : owner.meter->workers) {
    metrics.opened += stats.opened[inbound].Get();
    metrics.probes += stats.probes.Get();
    metrics.handshake_timeouts += stats.handshake_timeouts.Get();
    AddUp(kEndNames, stats.ended, metrics.closed);
    AddUp(kStageNames, stats.failed, stages);
    AddUp(kTlsNames, stats.tls_handshakes[inbound], metrics.tls_handshakes);
    AddUp(stats, metrics.sasl);
  }
  metrics.failed.insert(metrics.failed.end(), stages.begin(), stages.end());
  if (inbound) {
    AddUp(kRefusalNames, owner.meter->refused, metrics.refused);
    metrics.refused.pop_back();  // kSystem: to which listener he came is not known
  }
  size_t kept = 0;
  for (size_t i = 0; i < metrics.sasl.size(); ++i) {
    const SaslCount& sasl = metrics.sasl[i];
    const bool is_used = sasl.ok + sasl.denied + sasl.error > 0;
    if (is_used || owner.description.mechanisms[i]) metrics.sasl[kept++] = sasl;
  }
  metrics.sasl.resize(kept);
  return metrics;
}

}  // namespace trunkline::net
