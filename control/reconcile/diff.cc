#include "control/reconcile/diff.h"

#include "control/config/translate.h"

namespace trunkline::reconcile {
namespace {

// Adds a Removal for each name that is not wanted any more.
template <typename Removal, typename Spec>
void Remove(const std::map<std::string, Spec>& have, const std::map<std::string, Spec>& want,
            std::vector<Action>& actions) {
  for (const auto& [name, spec] : have) {
    if (!want.contains(name)) actions.push_back(Removal{name});
  }
}

// Adds each spec that is missing or different.
template <typename Spec>
void Apply(const std::map<std::string, Spec>& have, const std::map<std::string, Spec>& want,
           std::vector<Action>& actions) {
  for (const auto& [name, spec] : want) {
    const auto found = have.find(name);
    if (found == have.end() || found->second != spec) actions.push_back(spec);
  }
}

}  // namespace

Resources ResourcesOf(const config::Document& document,
                      const std::map<std::string, Secret>& passwords) {
  Resources resources;
  resources.router = config::ToSettings(document.router);
  for (const auto& [id, listener] : document.listeners) {
    if (!config::IsEnabled(listener)) continue;
    resources.listeners[id] = config::ToSpec(listener);
  }
  for (const auto& [id, connector] : document.connectors) {
    if (!config::IsEnabled(connector)) continue;
    if (!connector.spec().sasl_user().empty() && !passwords.contains(id)) continue;
    ConnectorSpec& spec = resources.connectors[id] = config::ToSpec(connector, document);
    if (const auto found = passwords.find(id); found != passwords.end()) {
      spec.sasl_password = found->second;
    }
  }
  for (const auto& [id, address] : document.addresses) {
    resources.addresses.push_back(config::ToSpec(address));
  }
  return resources;
}

std::vector<Action> Diff(const Resources& have, const Resources& want) {
  std::vector<Action> actions;
  Remove<RemoveConnector>(have.connectors, want.connectors, actions);
  Remove<RemoveListener>(have.listeners, want.listeners, actions);
  if (have.router != want.router) actions.push_back(ApplyRouter{want.router});
  if (have.addresses != want.addresses) actions.push_back(ApplyAddresses{want.addresses});
  Apply(have.listeners, want.listeners, actions);
  Apply(have.connectors, want.connectors, actions);
  return actions;
}

}  // namespace trunkline::reconcile
