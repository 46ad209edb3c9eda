#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/cli/commands.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// What --help says below commands and options, part by part; the manual page says it too.
inline constexpr std::string_view kKindsText =
    R"(KIND is listeners, connectors, tls-profiles, user-stores or addresses, also in
the singular; for get also connections, links, routes (addresses in use), users
and tls-sessions; for get, set, edit and explain also router. trunkctl COMMAND
--help says more.
)";
inline constexpr std::string_view kExamplesText =
    R"(  trunkctl create listener amqps port=5671 tls_profile=service
  trunkctl set listener amqps sasl_mechanisms=[EXTERNAL,PLAIN] --dry-run
)";
inline constexpr std::string_view kEndpointText =
    R"(Without --endpoint and --context: $TRUNKLINE_ENDPOINT, else the context in use,
else /run/trunkline/control.sock or $XDG_RUNTIME_DIR/trunkline/control.sock.
$TRUNKLINE_TLS_CERT, _KEY, _CA and _NAME stand for the options. $NO_COLOR: no
colours. $VISUAL, $EDITOR: of edit.
)";
inline constexpr std::string_view kStatusText =
    R"(Exit status: 0 good, 1 failed, 2 usage, 3 not found, 4 conflict, 5 denied,
6 unreachable.
)";

// What --help prints: of everything, and of one command.
std::string Help();
std::string HelpOf(const Command& command);
// Behind these words: of a command, of those whose names begin with a word ("config"), or, where
// there are none, of everything. InvalidArgument: there is no such command.
absl::StatusOr<std::string> HelpFor(const std::vector<std::string>& words);

absl::Status PrintHelp(Session& session);  // help [COMMAND]

// InvalidArgument: no command begins with these words, of which there is one at least.
absl::Status NoCommand(const std::vector<std::string>& words);

}  // namespace trunkline::cli
