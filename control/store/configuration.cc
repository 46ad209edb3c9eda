#include "control/store/configuration.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "control/config/file_source.h"
#include "control/config/problem.h"
#include "control/config/text.h"
#include "control/legacy/qdrouterd_conf.h"
#include "google/protobuf/util/message_differencer.h"
#include "router/base/status.h"
#include "router/sasl/kerberos.h"
#include "router/sasl/library.h"
#include "router/sasl/mechanisms.h"

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

void LoadProfiles(const Past& past, int64_t now, Configuration& configuration, Findings& findings) {
  constexpr std::string_view kSection = "tls_profiles";
  const config::Document& document = configuration.document;
  for (const auto& [id, profile] : document.tls_profiles) {
    const config::InlineCertificate* const given = config::InlineOf(document, id);
    if (past.same != nullptr && config::InlineOf(past.same->document, id) == given) {
      if (const auto* known =
              Known(past.same->document.tls_profiles, id, profile, past.same->profiles)) {
        configuration.profiles[id] = *known;
        continue;
      }
    }
    absl::StatusOr<certs::Profile> loaded = certs::LoadProfile(
        profile.spec(), {.now = now, .given = given, .for_api = IsOfApi(document, id)});
    if (!loaded.ok()) {
      findings.problems.push_back(ProblemOfProfile(id, loaded.status()));
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

const users::Store* StoreOf(const Configuration* configuration, const std::string& id) {
  if (configuration == nullptr) return nullptr;
  const auto found = configuration->stores.find(id);
  return found == configuration->stores.end() ? nullptr : &found->second;
}

void LoadBuiltIn(const Past& past, const std::string& id, const v1::UserStore& store,
                 Configuration& configuration) {
  const config::BuiltInUsers* const users = config::BuiltInUsersOf(configuration.document, id);
  if (past.in_force != nullptr && config::BuiltInUsersOf(past.in_force->document, id) == users) {
    if (const auto* known =
            Known(past.in_force->document.user_stores, id, store, past.in_force->stores)) {
      configuration.stores[id] = *known;
      return;
    }
  }
  configuration.stores[id] = users::LoadBuiltIn(store.spec(), users);
}

void LoadStores(const Past& past, Configuration& configuration, Findings& findings) {
  constexpr std::string_view kSection = "user_stores";
  for (const auto& [id, store] : configuration.document.user_stores) {
    if (store.spec().built_in()) {
      LoadBuiltIn(past, id, store, configuration);
      continue;
    }
    if (past.same != nullptr) {
      if (const auto* known =
              Known(past.same->document.user_stores, id, store, past.same->stores)) {
        configuration.stores[id] = *known;
        continue;
      }
    }
    absl::StatusOr<users::Store> loaded =
        users::LoadStore(store.spec(), StoreOf(past.in_force, id));
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
    if (mechanism == "ANONYMOUS" || mechanism == "EXTERNAL" || mechanism == sasl::kGssapi) continue;
    const absl::Status status = sasl::CheckMechanism(mechanism);
    if (status.ok()) continue;
    findings.problems.push_back({{}, path, std::string(status.message())});
  }
}

// Where GSSAPI is named: whether it can be spoken.
template <typename Spec>
void CheckTickets(const std::string& path, const Spec& spec, absl::Status (*check)(),
                  Findings& findings) {
  const auto& names = spec.sasl_mechanisms();
  const auto found = std::find(names.begin(), names.end(), sasl::kGssapi);
  if (found == names.end()) return;
  const absl::Status status = check();
  if (status.ok()) return;
  findings.problems.push_back(
      {{},
       config::Concat(path, ".sasl_mechanisms[", found - names.begin(), "]"),
       std::string(status.message())});
}

// Runs `check` of a resource unless it was found able before. Nothing in force is asked again: it
// may have to wait for a name service.
template <typename Resource, typename Check>
void CheckOnce(const Past& past, const std::map<std::string, Resource> config::Document::*kind,
               const std::string& id, const std::string& path, const Check& check,
               Configuration& configuration, Findings& findings) {
  const auto was_able = [&] {
    if (past.same == nullptr || !past.same->able.contains(path)) return false;
    const auto& before = past.same->document.*kind;
    const auto old = before.find(id);
    return old != before.end() &&
           google::protobuf::util::MessageDifferencer::Equals(
               old->second.spec(), (configuration.document.*kind).at(id).spec());
  };
  const size_t problems = findings.problems.size();
  if (!was_able()) check();
  if (findings.problems.size() == problems) configuration.able.insert(path);
}

void CheckListeners(const Past& past, Configuration& configuration, Findings& findings) {
  for (const auto& [id, listener] : configuration.document.listeners) {
    const v1::ListenerSpec& spec = listener.spec();
    const std::string path = config::Concat("listeners[", id, "]");
    const auto check = [&, &of = path] {
      CheckTickets(of, spec, &sasl::CheckKeytab, findings);
      if (spec.user_store().empty()) return;
      CheckMechanisms(of + ".user_store", spec.sasl_mechanisms(), findings);
    };
    CheckOnce(past, &config::Document::listeners, id, path, check, configuration, findings);
    if (spec.user_store().empty() || spec.require_sasl()) continue;
    findings.warnings.push_back(
        {{}, path + ".user_store", "without require_sasl clients may come without a password"});
  }
}

void LoadPasswords(const Past& past, Configuration& configuration, Findings& findings) {
  for (const auto& [id, connector] : configuration.document.connectors) {
    const v1::ConnectorSpec& spec = connector.spec();
    const std::string path = config::Concat("connectors[", id, "]");
    const auto check = [&, &of = path] {
      CheckTickets(
          of, spec, [] { return sasl::CheckMechanism(sasl::kGssapi); }, findings);
      if (spec.sasl_user().empty()) return;
      CheckMechanisms(of + ".sasl_user", spec.sasl_mechanisms(), findings);
    };
    CheckOnce(past, &config::Document::connectors, id, path, check, configuration, findings);
    if (spec.sasl_user().empty()) continue;
    if (past.same != nullptr) {
      if (const auto* known =
              Known(past.same->document.connectors, id, connector, past.same->passwords)) {
        configuration.passwords[id] = *known;
        continue;
      }
    }
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

config::Problem ProblemOfProfile(const std::string& id, const absl::Status& status) {
  Problem problem = ProblemOf("tls_profiles", id, status.message());
  problem.reason = tls::FaultOf(status);
  problem.of_value = absl::IsInvalidArgument(status);
  if (!problem.reason.empty() || !problem.of_value) return problem;
  for (const char* field : {".certificate_file", ".private_key_file", ".ca_file", ".crl_file"}) {
    if (problem.path.ends_with(field)) problem.reason = "INVALID_CERTIFICATE";
  }
  return problem;
}

bool IsOfApi(const config::Document& document, const std::string& profile) {
  return document.control.has_tcp() &&
         config::ResourceId(document.control.tcp().tls_profile()) == profile;
}

Missing TakeMissing(std::vector<config::Problem>& problems,
                    const std::function<bool(const std::string& path)>& may) {
  Missing missing;
  std::erase_if(problems, [&](const Problem& problem) {
    const std::string path = problem.path.substr(0, problem.path.find(']') + 1);
    if (!may(path)) return false;
    const std::string field =
        problem.path.size() > path.size() ? problem.path.substr(path.size() + 1) + ": " : "";
    missing[path] = absl::FailedPreconditionError(config::Concat(field, problem.text));
    return true;
  });
  return missing;
}

Configuration Load(config::Document document, const Past& past, int64_t now, Findings& findings) {
  Configuration configuration;
  configuration.document = std::move(document);
  LoadProfiles(past, now, configuration, findings);
  LoadStores(past, configuration, findings);
  CheckListeners(past, configuration, findings);
  LoadPasswords(past, configuration, findings);
  return configuration;
}

absl::StatusOr<Loaded> LoadFile(const std::string& file, int64_t now,
                                const Configuration* in_force) {
  config::FileDocument source;
  if (file.empty()) {
    source.document = config::DefaultDocument();
  } else {
    TL_ASSIGN_OR_RETURN(source, legacy::LoadDocument(file));
  }
  Findings findings;
  findings.warnings = std::move(source.warnings);
  Loaded loaded;
  loaded.configuration = Load(std::move(source.document), {.in_force = in_force}, now, findings);
  const config::Document& document = loaded.configuration.document;
  if (document.router.core_dumps()) {
    findings.warnings.push_back(
        {{}, "router.core_dumps", "a core file may hold passwords and private keys"});
  }
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
