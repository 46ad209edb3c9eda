#include "control/store/configuration.h"

#include <utility>
#include <vector>

#include "control/config/file_source.h"
#include "control/config/problem.h"
#include "control/config/text.h"
#include "control/legacy/qdrouterd_conf.h"
#include "google/protobuf/util/message_differencer.h"
#include "router/base/status.h"
#include "router/sasl/library.h"

namespace trunkline::store {
namespace {

using config::Problem;

// "ca_file: /x: No such file or directory" of resource tls_profiles[service] → a problem of
// tls_profiles[service].ca_file.
Problem ProblemOf(std::string_view section, const std::string& id, absl::string_view message) {
  const std::string_view text = config::View(message);
  const size_t colon = text.find(": ");
  const std::string path = config::Concat(section, "[", id, "]");
  if (colon == std::string_view::npos) return {{}, path, std::string(text)};
  return {
      {}, config::Concat(path, ".", text.substr(0, colon)), std::string(text.substr(colon + 2))};
}

// What `last` has loaded for a resource with the same spec; null: nothing.
template <typename Resource, typename Loaded>
const Loaded* Known(const std::map<std::string, Resource>& before, const std::string& id,
                    const Resource& resource, const std::map<std::string, Loaded>& loaded) {
  const auto old = before.find(id);
  if (old == before.end() ||
      !google::protobuf::util::MessageDifferencer::Equals(old->second.spec(), resource.spec())) {
    return nullptr;
  }
  const auto found = loaded.find(id);
  return found == loaded.end() ? nullptr : &found->second;
}

void LoadProfiles(const Configuration* last, int64_t now, Configuration& configuration,
                  Findings& findings) {
  constexpr std::string_view kSection = "tls_profiles";
  for (const auto& [id, profile] : configuration.document.tls_profiles) {
    if (last != nullptr) {
      if (const auto* known = Known(last->document.tls_profiles, id, profile, last->profiles)) {
        configuration.profiles[id] = *known;
        continue;
      }
    }
    absl::StatusOr<certs::Profile> loaded = certs::LoadProfile(profile.spec(), now);
    if (!loaded.ok()) {
      findings.problems.push_back(ProblemOf(kSection, id, loaded.status().message()));
      continue;
    }
    for (const std::string& warning : loaded->warnings) {
      findings.warnings.push_back(ProblemOf(kSection, id, warning));
    }
    if (!loaded->dates.ok()) {
      findings.warnings.push_back(ProblemOf(kSection, id, loaded->dates.message()));
    }
    configuration.profiles[id] = *std::move(loaded);
  }
}

void LoadStores(const Configuration* last, Configuration& configuration, Findings& findings) {
  constexpr std::string_view kSection = "user_stores";
  for (const auto& [id, store] : configuration.document.user_stores) {
    if (last != nullptr) {
      if (const auto* known = Known(last->document.user_stores, id, store, last->stores)) {
        configuration.stores[id] = *known;
        continue;
      }
    }
    absl::StatusOr<users::Store> loaded = users::LoadStore(store.spec());
    if (!loaded.ok()) {
      findings.problems.push_back(ProblemOf(kSection, id, loaded.status().message()));
      continue;
    }
    for (const std::string& warning : loaded->warnings) {
      findings.warnings.push_back(ProblemOf(kSection, id, warning));
    }
    configuration.stores[id] = *std::move(loaded);
  }
}

// Whether libsasl2 has what the list names, or uses by default.
template <typename Names>
void CheckMechanisms(const std::string& path, const Names& names, Findings& findings) {
  std::vector<std::string> mechanisms = {names.begin(), names.end()};
  if (mechanisms.empty()) mechanisms = {"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"};
  for (const std::string& mechanism : mechanisms) {
    if (mechanism == "ANONYMOUS" || mechanism == "EXTERNAL") continue;
    const absl::Status status = sasl::CheckMechanism(mechanism);
    if (status.ok()) continue;
    findings.problems.push_back({{}, path, std::string(status.message())});
  }
}

void CheckListeners(const config::Document& document, Findings& findings) {
  for (const auto& [id, listener] : document.listeners) {
    const v1::ListenerSpec& spec = listener.spec();
    if (spec.user_store().empty()) continue;
    const std::string path = config::Concat("listeners[", id, "].user_store");
    CheckMechanisms(path, spec.sasl_mechanisms(), findings);
    if (spec.require_sasl()) continue;
    findings.warnings.push_back(
        {{}, path, "without require_sasl clients may come without a password"});
  }
}

void LoadPasswords(const Configuration* last, Configuration& configuration, Findings& findings) {
  for (const auto& [id, connector] : configuration.document.connectors) {
    const v1::ConnectorSpec& spec = connector.spec();
    if (spec.sasl_user().empty()) continue;
    if (last != nullptr) {
      if (const auto* known = Known(last->document.connectors, id, connector, last->passwords)) {
        configuration.passwords[id] = *known;
        continue;
      }
    }
    CheckMechanisms(config::Concat("connectors[", id, "].sasl_user"), spec.sasl_mechanisms(),
                    findings);
    absl::StatusOr<Secret> password =
        users::ReadPassword("sasl_password_file", spec.sasl_password_file());
    if (password.ok()) {
      configuration.passwords[id] = *std::move(password);
    } else {
      findings.problems.push_back(ProblemOf("connectors", id, password.status().message()));
    }
  }
}

}  // namespace

Configuration Load(config::Document document, const Configuration* last, int64_t now,
                   Findings& findings) {
  Configuration configuration;
  configuration.document = std::move(document);
  LoadProfiles(last, now, configuration, findings);
  LoadStores(last, configuration, findings);
  CheckListeners(configuration.document, findings);
  LoadPasswords(last, configuration, findings);
  return configuration;
}

absl::StatusOr<Loaded> LoadFile(const std::string& file, int64_t now) {
  config::FileDocument source;
  if (file.empty()) {
    source.document = config::DefaultDocument();
  } else {
    TL_ASSIGN_OR_RETURN(source, legacy::LoadDocument(file));
  }
  Findings findings;
  findings.warnings = std::move(source.warnings);
  Loaded loaded;
  loaded.configuration = Load(std::move(source.document), nullptr, now, findings);
  const config::Document& document = loaded.configuration.document;
  if (document.listeners.empty() && document.connectors.empty()) {
    findings.warnings.push_back({{}, "", "neither listeners nor connectors: nobody can be served"});
  }
  Locate(source.positions, findings.problems);
  Locate(source.positions, findings.warnings);
  if (!findings.problems.empty()) {
    return absl::InvalidArgumentError(FormatProblems(file, findings.problems));
  }
  loaded.warnings = FormatProblems(file, findings.warnings);
  loaded.positions = std::move(source.positions);
  return loaded;
}

}  // namespace trunkline::store
