#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace trunkline::legacy {

// What Dispatch's file for Cyrus SASL, NAME.conf in saslConfigDir, says about users.
struct SaslConf {
  std::string sasldb_file = "/etc/sasldb2";
  // mech_list: no others are offered. Those that are not spoken here are left out.
  std::optional<std::vector<std::string>> mechanisms;
  std::vector<std::string> ignored;  // what means nothing here: "keytab", "mech_list: GSSAPI"
};

// InvalidArgument: the line, and what is not there: users from elsewhere than a sasldb. Pure.
absl::StatusOr<SaslConf> ParseSaslConf(std::string_view text);

}  // namespace trunkline::legacy
