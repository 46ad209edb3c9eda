#include "control/cli/help.h"

#include <cctype>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "control/config/problem.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::internal::Piece;

constexpr std::string_view kHead =
    R"(Usage: trunkctl COMMAND [ARGUMENTS] [OPTIONS]

Shows and changes what a running trunkd does.
)";

// Lines of two columns.
void AddLine(std::string_view left, std::string_view right, std::string& text) {
  constexpr size_t kLeft = 32;
  if (left.size() > kLeft) {
    absl::StrAppendFormat(&text, "  %s\n  %*s  %s\n", Piece(left), kLeft, "", Piece(right));
  } else {
    absl::StrAppendFormat(&text, "  %-*s  %s\n", kLeft, Piece(left), Piece(right));
  }
}

void AddCommand(const Command& command, std::string& text) {
  AddLine(Concat(command.name, command.words.empty() ? "" : " ", command.words), command.summary,
          text);
}

void AddOption(const Option& option, std::string& text) {
  const std::string letter =
      option.letter == 0 ? "    " : Concat("-", std::string(1, option.letter), ", ");
  AddLine(Concat(letter, "--", option.name, option.value.empty() ? "" : " ", option.value),
          option.help, text);
}

}  // namespace

std::string Help() {
  std::string text(kHead);
  std::string_view group;
  for (const Command& command : Commands()) {
    if (command.group != group) absl::StrAppend(&text, "\n", Piece(command.group), ":\n");
    group = command.group;
    AddCommand(command, text);
  }
  text += "\nOptions of every command:\n";
  for (const Option& option : Options()) {
    if (option.everywhere) AddOption(option, text);
  }
  for (const std::string_view part : {kKindsText, kExamplesText, kEndpointText, kStatusText}) {
    absl::StrAppend(&text, "\n", Piece(part));
  }
  return text;
}

std::string HelpOf(const Command& command) {
  std::string text = Concat("Usage: trunkctl ", command.name, command.words.empty() ? "" : " ",
                            command.words, " [OPTIONS]\n\n", command.summary, "\n");
  text[text.find("\n\n") + 2] = static_cast<char>(std::toupper(command.summary.front()));
  if (!command.details.empty()) absl::StrAppend(&text, "\n", Piece(command.details));
  text += "\nOptions, beside those of every command (trunkctl --help):\n";
  const size_t before = text.size();
  for (const Option& option : Options()) {
    if (IsAmong(command.options, option.name)) AddOption(option, text);
  }
  if (text.size() == before) text += "  none\n";
  if (command.more != nullptr) text += "\n" + command.more();
  return text;
}

absl::StatusOr<std::string> HelpFor(const std::vector<std::string>& words) {
  if (words.empty()) return Help();
  if (const Command* const command = FindCommand(words)) return HelpOf(*command);
  std::string text = Concat("Usage: trunkctl ", words.front(), " ...\n\n");
  const size_t before = text.size();
  for (const Command& command : Commands()) {
    if (command.name.starts_with(Concat(words.front(), " "))) AddCommand(command, text);
  }
  if (text.size() == before) return NoCommand(words);
  return text;
}

absl::Status PrintHelp(Session& session) {
  TL_ASSIGN_OR_RETURN(const std::string text, HelpFor(session.words()));
  session.Print(text);
  return absl::OkStatus();
}

absl::Status NoCommand(const std::vector<std::string>& words) {
  const std::vector<std::string> under = CommandsUnder(words.front());
  if (!under.empty()) {
    return absl::InvalidArgumentError(
        Concat(under.size() == 1 ? "there is " : "there are ", absl::StrJoin(under, ", ")));
  }
  std::vector<std::string> names;
  for (const Command& each : Commands()) names.emplace_back(each.name);
  return absl::InvalidArgumentError(Concat("no command ", config::Quote(words.front()),
                                           config::DidYouMean(words.front(), names)));
}

}  // namespace trunkline::cli
