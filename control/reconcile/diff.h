#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "control/config/document.h"
#include "router/base/secret.h"
#include "router/specs.h"

namespace trunkline::reconcile {

// What the router has, or should have, but for TLS and users, which are named by the specs.
struct Resources {
  RouterSettings router;
  std::map<std::string, ListenerSpec> listeners;
  std::map<std::string, ConnectorSpec> connectors;
  std::vector<AddressSpec> addresses;
};

// The resources of a valid document, but for listeners and connectors that are switched off, and
// connectors that should have a password and have none; `passwords` by their ids.
Resources ResourcesOf(const config::Document& document,
                      const std::map<std::string, Secret>& passwords);

struct RemoveListener {
  std::string name;
  bool operator==(const RemoveListener&) const = default;
};
struct RemoveConnector {
  std::string name;
  bool operator==(const RemoveConnector&) const = default;
};
struct ApplyRouter {
  RouterSettings settings;
  bool operator==(const ApplyRouter&) const = default;
};
struct ApplyAddresses {
  std::vector<AddressSpec> addresses;
  bool operator==(const ApplyAddresses&) const = default;
};
using Action = std::variant<RemoveConnector, RemoveListener, ApplyRouter, ApplyAddresses,
                            ListenerSpec, ConnectorSpec>;

// What to do, in order, so that `have` becomes `want`: first what goes, as it may hold a port that
// another needs; then the router and addresses, before anybody can use them; then what comes or
// changes. Pure.
std::vector<Action> Diff(const Resources& have, const Resources& want);

}  // namespace trunkline::reconcile
