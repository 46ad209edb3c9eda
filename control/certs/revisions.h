#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/certs/profile.h"
#include "router/observe.h"

namespace trunkline::certs {

// A certificate that is in force, or was and is still in use.
struct Revision {
  uint64_t ordinal = 0;  // of its profile, from 1; the router's revision (Router::SetTls)
  tls::CertificateInfo leaf;
  uint64_t connections = 0;
  bool active = false;
};

// The revisions of each TLS profile, as far as anybody can see them: the one in force, and older
// ones while they have connections.
//
// Bound: one per profile, and one per open connection. Thread: control.
class Revisions {
 public:
  // What is in force of this profile. True: it is another than before.
  bool Note(const std::string& profile, uint64_t ordinal, const tls::CertificateInfo& leaf);
  void Forget(const std::string& profile) { profiles_.erase(profile); }

  // Profiles that there are.
  std::vector<std::string> Names() const;

  // Which connections there are. Revisions that nobody uses any more are forgotten.
  void Count(const std::vector<TlsConnections>& uses);

  // The active one first, then the newest first; nothing, if there is no such profile.
  std::vector<Revision> Of(const std::string& profile) const;

 private:
  std::map<std::string, std::vector<Revision>> profiles_;  // in order; the last one is active
};

}  // namespace trunkline::certs
