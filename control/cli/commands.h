#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// A command of trunkctl. The one table of them is behind running, --help and completion.
struct Command {
  std::string_view group;    // heading in --help
  std::string_view name;     // "get", "config check"
  std::string_view words;    // what follows it, "KIND [ID...]"
  std::string_view options;  // names, blanks between them
  std::string_view summary;  // one line
  std::string_view details;  // below it in COMMAND --help; may be empty
  absl::Status (*run)(Session& session);
  std::string (*more)() = nullptr;  // what ends COMMAND --help and is known only then
};

absl::Span<const Command> Commands();

// The command that `words` begin with, the one with the longest name; null: there is none.
const Command* FindCommand(const std::vector<std::string>& words);
// How many words its name has.
size_t WordsOf(const Command& command);
// Names of the commands that begin with this word: "config" → "config show", "config check".
std::vector<std::string> CommandsUnder(std::string_view word);

// What --help says below commands and options, part by part; the manual page says it too.
inline constexpr std::string_view kKindsText =
    R"(KIND is listeners, connectors, tls-profiles, user-stores or addresses, also in
the singular; for get also connections, links, routes (addresses in use), users
and tls-sessions. trunkctl COMMAND --help says more.
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

// What --help prints.
std::string Help();
std::string HelpOf(const Command& command);

}  // namespace trunkline::cli
