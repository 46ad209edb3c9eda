#pragma once

#include <memory>
#include <string>

#include "router/sasl/users.h"

namespace trunkline::sasl {

// What a server's session and libsasl2 tell each other: the context of the session's callbacks.
// Options that decide something are answered from here, so no file of the system is asked.
struct ServerSettings {
  std::shared_ptr<const Users> users;
  std::string auxprop_plugins;  // in the order in which they are asked
  std::string name;             // as the peer gave it, for the log
  std::string ticket_realm;     // by ticket: of names that come without one
  std::string reason;           // by ticket: why it was not taken, for the log
};

}  // namespace trunkline::sasl
