#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "control/certs/profile.h"
#include "control/config/document.h"
#include "control/users/store.h"
#include "router/base/secret.h"

namespace trunkline::daemon {

// A configuration that can be put in force: read, valid, its certificates and users loaded.
struct Configuration {
  config::Document document;
  std::map<std::string, certs::Profile> profiles;  // by id
  std::map<std::string, users::Store> stores;      // by id
  std::map<std::string, Secret> passwords;         // by connector
  // What works but should not stay so, one per line, as FormatProblems writes it.
  std::string warnings;
};

// From `file`, or DefaultDocument if that is empty. `now` is seconds since 1970. InvalidArgument
// and what opening a file gives: all problems, one per line. `before`, which may be null, is the
// one in force: user stores whose files are the same are not read again.
absl::StatusOr<Configuration> LoadConfiguration(const std::string& file, int64_t now,
                                                const Configuration* before = nullptr);

}  // namespace trunkline::daemon
