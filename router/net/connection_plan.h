#pragma once

#include <string>

#include "router/specs.h"
#include "router/tls/stage.h"

namespace trunkline::net {

// What all connections of one listener, or one attempt of a connector, have in common. Immutable,
// shared by them: a changed spec is a new plan, and live connections keep theirs.
struct ConnectionPlan {
  std::string owner;  // name of the listener or connector
  bool inbound = true;
  ConnectionSpec connection;

  // Inbound.
  tls::ServerOptions tls_server;
  bool require_sasl = false;
  std::string user_store;

  // Dialled.
  std::string hostname;  // open.hostname
  tls::ClientOptions tls_client;
  std::string sasl_user;
  Secret sasl_password;
};

}  // namespace trunkline::net
