#include "control/daemon/configuration.h"

#include <utility>
#include <vector>

#include "control/config/file_source.h"
#include "control/config/problem.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::daemon {
namespace {

using config::Problem;

// "ca_file: /x: No such file or directory" of profile "service" → a problem of
// tls_profiles[service].ca_file.
Problem ProblemOf(const std::string& profile, absl::string_view message) {
  const std::string_view text = config::View(message);
  const size_t colon = text.find(": ");
  const std::string path = config::Concat("tls_profiles[", profile, "]");
  if (colon == std::string_view::npos) return {{}, path, std::string(text)};
  return {
      {}, config::Concat(path, ".", text.substr(0, colon)), std::string(text.substr(colon + 2))};
}

}  // namespace

absl::StatusOr<Configuration> LoadConfiguration(const std::string& file, int64_t now) {
  config::FileDocument source;
  if (file.empty()) {
    source.document = config::DefaultDocument();
  } else {
    TL_ASSIGN_OR_RETURN(source, config::LoadDocument(file));
  }
  Configuration configuration;
  std::vector<Problem> problems;
  std::vector<Problem> warnings;
  for (const auto& [id, profile] : source.document.tls_profiles) {
    absl::StatusOr<certs::Profile> loaded = certs::LoadProfile(profile.spec(), now);
    if (!loaded.ok()) {
      problems.push_back(ProblemOf(id, loaded.status().message()));
      continue;
    }
    for (const std::string& warning : loaded->warnings) warnings.push_back(ProblemOf(id, warning));
    if (!loaded->dates.ok()) warnings.push_back(ProblemOf(id, loaded->dates.message()));
    configuration.profiles[id] = *std::move(loaded);
  }
  if (source.document.listeners.empty() && source.document.connectors.empty()) {
    warnings.push_back({{}, "", "neither listeners nor connectors: nobody can be served"});
  }
  Locate(source.positions, problems);
  Locate(source.positions, warnings);
  if (!problems.empty()) return absl::InvalidArgumentError(FormatProblems(file, problems));
  configuration.warnings = FormatProblems(file, warnings);
  configuration.document = std::move(source.document);
  return configuration;
}

}  // namespace trunkline::daemon
