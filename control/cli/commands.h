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

}  // namespace trunkline::cli
