#include "control/reconcile/reconciler.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "router/base/status.h"

namespace trunkline::reconcile {
namespace {

std::string PathOfTls(const std::string& name) { return absl::StrCat("tls_profiles[", name, "]"); }
std::string PathOfUsers(const std::string& name) { return absl::StrCat("user_stores[", name, "]"); }
std::string PathOf(const RemoveConnector& a) { return absl::StrCat("connectors[", a.name, "]"); }
std::string PathOf(const RemoveListener& a) { return absl::StrCat("listeners[", a.name, "]"); }
std::string PathOf(const ApplyRouter&) { return "router"; }
std::string PathOf(const ApplyAddresses&) { return "addresses"; }
std::string PathOf(const ListenerSpec& spec) { return absl::StrCat("listeners[", spec.name, "]"); }
std::string PathOf(const ConnectorSpec& spec) {
  return absl::StrCat("connectors[", spec.name, "]");
}

bool IsSamePlace(const ListenerSpec& a, const ListenerSpec& b) {
  return a.host == b.host && a.port == b.port && a.socket_family == b.socket_family;
}

// Listeners that will not be where they are.
std::vector<std::string> Leaving(const Resources& have, const Resources& want) {
  std::vector<std::string> names;
  for (const auto& [name, spec] : have.listeners) {
    const auto found = want.listeners.find(name);
    if (found == want.listeners.end() || !IsSamePlace(found->second, spec)) names.push_back(name);
  }
  return names;
}

bool IsAtPort(const Resources& have, const std::vector<std::string>& names, uint16_t port) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return have.listeners.at(name).port == port; });
}

}  // namespace

std::vector<Failure> Reconciler::Prepare(const Resources& want) {
  std::vector<Failure> failures = Hold(want, Leaving(have_, want));
  if (!failures.empty()) Undo();
  return failures;
}

std::vector<Failure> Reconciler::Check(const Resources& want) {
  // A port that one of ours is going to leave is as good as free, and is not tried.
  Resources to_try = want;
  const std::vector<std::string> leaving = Leaving(have_, want);
  std::erase_if(to_try.listeners, [&](const auto& listener) {
    return IsAtPort(have_, leaving, listener.second.port);
  });
  std::vector<Failure> failures = Hold(to_try, {});
  Undo();
  return failures;
}

std::vector<Failure> Reconciler::Hold(const Resources& want,
                                      const std::vector<std::string>& leaving) {
  std::vector<Failure> failures;
  for (const auto& [name, spec] : want.listeners) {
    const auto found = have_.listeners.find(name);
    if (found != have_.listeners.end() && IsSamePlace(found->second, spec)) continue;
    if (absl::Status status = router_.Hold(spec, leaving); !status.ok()) {
      failures.push_back({PathOf(spec), std::move(status)});
    }
  }
  return failures;
}

std::vector<Failure> Reconciler::Reconcile(const Named& named, const Resources& want) {
  std::vector<Failure> failures;
  for (const auto& [name, store] : named.stores) {
    if (absl::Status status = SetUsers(name, store); !status.ok()) {
      failures.push_back({PathOfUsers(name), std::move(status)});
    }
  }
  for (const auto& [name, profile] : named.profiles) {
    if (absl::Status status = SetTls(name, profile); !status.ok()) {
      failures.push_back({PathOfTls(name), std::move(status)});
    }
  }
  for (const Action& action : Diff(have_, want)) {
    std::visit(
        [&](const auto& act) {
          if (absl::Status status = Do(act); !status.ok()) {
            failures.push_back({PathOf(act), std::move(status)});
          }
        },
        action);
  }
  RemoveTls(named.profiles, failures);
  RemoveUsers(named.stores, failures);
  router_.DropHeld();
  return failures;
}

// What the router has not taken up in time is in force all the same, soon: given again it is the
// same revision.
absl::Status Reconciler::SetTls(const std::string& name, const certs::Profile& profile) {
  if (TlsFingerprint(name) == profile.fingerprint) return absl::OkStatus();
  Tls& tls = tls_.try_emplace(name, Tls{.revision = revisions_gone_}).first->second;
  if (tls.fingerprint != profile.fingerprint) tls = {profile.fingerprint, tls.revision + 1};
  TL_RETURN_IF_ERROR(router_.SetTls(name, profile.context, tls.revision));
  tls.in_force = true;
  return absl::OkStatus();
}

absl::Status Reconciler::SetUsers(const std::string& name, const users::Store& store) {
  if (UsersStamp(name) == store.stamp) return absl::OkStatus();
  TL_RETURN_IF_ERROR(router_.SetUsers(name, store.users));
  users_[name] = store.stamp;
  return absl::OkStatus();
}

void Reconciler::RemoveUsers(const std::map<std::string, users::Store>& wanted,
                             std::vector<Failure>& failures) {
  std::vector<std::string> unwanted;
  for (const auto& [name, stamp] : users_) {
    if (!wanted.contains(name)) unwanted.push_back(name);
  }
  for (const std::string& name : unwanted) {
    if (absl::Status status = router_.RemoveUsers(name); status.ok()) {
      users_.erase(name);
    } else {
      failures.push_back({PathOfUsers(name), std::move(status)});
    }
  }
}

uint64_t Reconciler::UsersStamp(const std::string& store) const {
  const auto found = users_.find(store);
  return found == users_.end() ? 0 : found->second;
}

void Reconciler::RemoveTls(const std::map<std::string, certs::Profile>& wanted,
                           std::vector<Failure>& failures) {
  std::vector<std::string> unwanted;
  for (const auto& [name, tls] : tls_) {
    if (!wanted.contains(name)) unwanted.push_back(name);
  }
  for (const std::string& name : unwanted) {
    if (absl::Status status = router_.RemoveTls(name); status.ok()) {
      revisions_gone_ = std::max(revisions_gone_, tls_[name].revision);
      tls_.erase(name);
    } else {
      failures.push_back({PathOfTls(name), std::move(status)});
    }
  }
}

uint64_t Reconciler::TlsFingerprint(const std::string& profile) const {
  const auto found = tls_.find(profile);
  return found == tls_.end() || !found->second.in_force ? 0 : found->second.fingerprint;
}

uint64_t Reconciler::TlsRevision(const std::string& profile) const {
  const auto found = tls_.find(profile);
  return found == tls_.end() ? 0 : found->second.revision;
}

absl::Status Reconciler::Redial(const std::string& connector) {
  const auto found = have_.connectors.find(connector);
  if (found == have_.connectors.end()) return absl::FailedPreconditionError("it is not in force");
  const ConnectorSpec spec = found->second;
  TL_RETURN_IF_ERROR(Do(RemoveConnector{connector}));
  return Do(spec);
}

absl::Status Reconciler::Do(const RemoveConnector& action) {
  TL_RETURN_IF_ERROR(router_.RemoveConnector(action.name));
  have_.connectors.erase(action.name);
  return absl::OkStatus();
}

absl::Status Reconciler::Do(const RemoveListener& action) {
  TL_RETURN_IF_ERROR(router_.RemoveListener(action.name));
  have_.listeners.erase(action.name);
  return absl::OkStatus();
}

absl::Status Reconciler::Do(const ApplyRouter& action) {
  TL_RETURN_IF_ERROR(router_.Apply(action.settings));
  have_.router = action.settings;
  return absl::OkStatus();
}

absl::Status Reconciler::Do(const ApplyAddresses& action) {
  TL_RETURN_IF_ERROR(router_.Apply(action.addresses));
  have_.addresses = action.addresses;
  return absl::OkStatus();
}

absl::Status Reconciler::Do(const ListenerSpec& spec) {
  TL_RETURN_IF_ERROR(router_.Apply(spec));
  have_.listeners[spec.name] = spec;
  return absl::OkStatus();
}

absl::Status Reconciler::Do(const ConnectorSpec& spec) {
  TL_RETURN_IF_ERROR(router_.Apply(spec));
  have_.connectors[spec.name] = spec;
  return absl::OkStatus();
}

}  // namespace trunkline::reconcile
