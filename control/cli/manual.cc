#include "control/cli/manual.h"

#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "control/cli/arguments.h"
#include "control/cli/commands.h"
#include "control/cli/help.h"
#include "control/config/text.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::internal::Piece;

constexpr std::string_view kFiles = R"(.SH FILES
.TP
.I ~/.config/trunkline/contexts.yaml
Names of routers, and how each is reached; $XDG_CONFIG_HOME stands for ~/.config. Others may not
read or write it.
.TP
.I /run/trunkline/control.sock
Where the system's trunkd listens; for members of the group
.BR trunkline .
.TP
.I /usr/share/doc/trunkline/proto/
Every resource and every field; also told by
.BR "trunkctl explain" .
.SH SEE ALSO
.BR trunkd (8)
)";

// Text that means itself.
std::string Plain(std::string_view text) {
  std::string plain = absl::StrReplaceAll(Piece(text), {{"\\", "\\e"}, {"-", "\\-"}});
  const bool is_request = plain.starts_with('.') || plain.starts_with('\'');
  return is_request ? "\\&" + plain : plain;
}

// Lines that are filled as one paragraph; those that begin with blanks stand as they are.
std::string Paragraphs(std::string_view text) {
  std::string page;
  bool is_filled = true;
  for (const absl::string_view line : absl::StrSplit(Piece(text), '\n')) {
    const bool is_indented = !line.empty() && line.front() == ' ';
    if (!line.empty() && is_indented == is_filled) {
      page += is_indented ? ".nf\n" : ".fi\n";
      is_filled = !is_indented;
    }
    page += line.empty() ? "" : Plain(config::View(line)) + "\n";
  }
  return is_filled ? page : page + ".fi\n";
}

std::string EntryOf(const Command& command) {
  std::string page = Concat(".TP\n.B ", Plain(command.name), "\n");
  if (!command.words.empty()) {
    page = Concat(".TP\n\\fB", Plain(command.name), "\\fR \\fI", Plain(command.words), "\\fR\n");
  }
  std::string summary(command.summary);
  summary.front() = absl::ascii_toupper(static_cast<unsigned char>(summary.front()));
  absl::StrAppend(&page, Plain(summary), ".\n", Paragraphs(command.details));
  std::vector<std::string> options;
  for (const Option& option : Options()) {
    if (IsAmong(command.options, option.name)) options.push_back(Concat("--", option.name));
  }
  if (options.empty()) return page;
  return page + Plain(Concat("Options: ", absl::StrJoin(options, ", "), ".")) + "\n";
}

std::string EntryOf(const Option& option) {
  const std::string letter =
      option.letter == 0 ? "" : Concat("-", std::string(1, option.letter), ", ");
  return Concat(".TP\n\\fB", Plain(Concat(letter, "--", option.name)), "\\fR",
                option.value.empty() ? "" : " \\fI", Plain(option.value),
                option.value.empty() ? "" : "\\fR", "\n", Plain(option.help), "\n");
}

}  // namespace

std::string ManualPage() {
  std::string page = Concat(
      ".TH TRUNKCTL 1 \"\" \"trunkline ", TRUNKLINE_VERSION,
      "\" \"User commands\"\n.SH NAME\ntrunkctl \\- show and change what a trunkd does\n"
      ".SH SYNOPSIS\n.B trunkctl\n.I COMMAND\n.RI [ ARGUMENTS ]\n.RI [ OPTIONS ]\n"
      ".SH DESCRIPTION\nShows and changes what a running\n.BR trunkd (8)\n"
      "does, over its API. Commands stand first; options may stand anywhere behind them.\n.PP\n",
      Paragraphs(kKindsText));
  absl::StrAppend(&page, ".SH COMMANDS\n");
  std::string_view group;
  for (const Command& command : Commands()) {
    if (command.group != group) absl::StrAppend(&page, ".SS ", Piece(command.group), "\n");
    group = command.group;
    page += EntryOf(command);
  }
  page += ".SH OPTIONS\n";
  for (const Option& option : Options()) page += EntryOf(option);
  absl::StrAppend(&page, ".SH ENVIRONMENT\n", Paragraphs(kEndpointText));
  absl::StrAppend(&page, ".SH EXIT STATUS\n", Paragraphs(kStatusText));
  absl::StrAppend(&page, ".SH EXAMPLES\n", Paragraphs(kExamplesText));
  return page.append(kFiles);
}

absl::Status PrintManual(Session& session) {
  session.Print(ManualPage());
  return absl::OkStatus();
}

}  // namespace trunkline::cli
