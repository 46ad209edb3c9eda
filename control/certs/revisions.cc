#include "control/certs/revisions.h"

#include <utility>

namespace trunkline::certs {

bool Revisions::Note(const std::string& profile, uint64_t ordinal,
                     const tls::CertificateInfo& leaf) {
  std::vector<Revision>& revisions = profiles_[profile];
  if (!revisions.empty() && revisions.back().ordinal == ordinal) return false;
  if (!revisions.empty()) revisions.back().active = false;
  revisions.push_back({.ordinal = ordinal, .leaf = leaf, .active = true});
  return true;
}

std::vector<std::string> Revisions::Names() const {
  std::vector<std::string> names;
  for (const auto& [profile, revisions] : profiles_) names.push_back(profile);
  return names;
}

void Revisions::Count(const std::vector<TlsConnections>& uses) {
  std::map<std::pair<std::string, uint64_t>, uint64_t> connections;
  for (const TlsConnections& use : uses) {
    connections[{use.profile, use.revision}] = use.connections;
  }
  for (auto& [profile, revisions] : profiles_) {
    for (Revision& revision : revisions) {
      const auto found = connections.find({profile, revision.ordinal});
      revision.connections = found == connections.end() ? 0 : found->second;
    }
    std::erase_if(revisions,
                  [](const Revision& one) { return !one.active && one.connections == 0; });
  }
}

std::vector<Revision> Revisions::Of(const std::string& profile) const {
  const auto found = profiles_.find(profile);
  if (found == profiles_.end()) return {};
  return {found->second.rbegin(), found->second.rend()};
}

}  // namespace trunkline::certs
