#pragma once

#include <functional>
#include <string>

#include "control/config/document.h"
#include "control/legacy/sasl_conf.h"
#include "control/legacy/sections.h"

namespace trunkline::legacy {

// The users that listeners may have: a user store, and which mechanisms may be offered for them.
struct SaslUsers {
  std::string store;  // "userStores/qdrouterd"
  std::string file;   // of Cyrus SASL, that leads to it
  SaslConf conf;
};

// Decides how clients of a listener log in, as Dispatch does, from what its other attributes have
// put into `spec`. `users` gives those there are, or null; it is asked only if they matter.
// Mechanisms that Dispatch would not offer are warned of and left out.
void ReadLogins(const Section& section, const std::function<const SaslUsers*()>& users,
                v1::ListenerSpec& spec, Report& report);

}  // namespace trunkline::legacy
