#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/certs/profile.h"
#include "control/config/document.h"
#include "control/config/problem.h"
#include "control/users/store.h"
#include "router/base/secret.h"

namespace trunkline::store {

// A configuration that can be put in force: its certificates, users and passwords loaded.
struct Configuration {
  config::Document document;
  std::map<std::string, certs::Profile> profiles;  // by id
  std::map<std::string, users::Store> stores;      // by id
  std::map<std::string, Secret> passwords;         // by connector
  // Listeners and connectors, by path, that can speak the mechanisms they need: the plugin, the
  // keytab are there.
  std::set<std::string> able;
};

// What was found out about a configuration.
struct Findings {
  std::vector<config::Problem> problems;  // it cannot be put in force
  std::vector<config::Problem> warnings;  // it works, but should not stay so
};

// What was loaded before; either may be null.
struct Past {
  // What it has for a resource that is the same is taken from there, and its files are not read.
  const Configuration* same = nullptr;
  // User stores whose files are the same are not read again, and what was worked out of passwords
  // that are the same is kept.
  const Configuration* in_force = nullptr;
};

// Whether the API's own port uses this TLS profile.
bool IsOfApi(const config::Document& document, const std::string& profile);

// What is wrong with a TLS profile (certs/profile.h), with the reason that RotateCertificate gives
// for it, too.
config::Problem ProblemOfProfile(const std::string& id, const absl::Status& status);

// Resources that lack what they need, by path ("tls_profiles[service]"), and why.
using Missing = std::map<std::string, absl::Status>;

// Takes from what Load found those problems, of files and of plugins, whoever may have taken them
// away, of resources that `may` lack theirs, by path; says which these are. The rest of the
// configuration does without them.
Missing TakeMissing(std::vector<config::Problem>& problems,
                    const std::function<bool(const std::string& path)>& may);

// Loads what the resources of a valid document name. `now` is in seconds since 1970.
Configuration Load(config::Document document, const Past& past, int64_t now, Findings& findings);

// From `file`, or DefaultDocument if that is empty: read, valid, complete. InvalidArgument and what
// opening a file gives: all problems, one per line.
struct Loaded {
  Configuration configuration;
  config::Positions positions;
  std::string warnings;  // one per line, as FormatProblems writes them
};
absl::StatusOr<Loaded> LoadFile(const std::string& file, int64_t now,
                                const Configuration* in_force = nullptr);

}  // namespace trunkline::store
