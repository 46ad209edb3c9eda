#include "control/cli/completion.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "control/cli/commands.h"
#include "control/cli/embedded.h"
#include "control/config/text.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::internal::Piece;

// The words that may stand first, or behind `first`.
std::string NextWords(std::string_view first) {
  std::vector<std::string> next;
  for (const Command& command : Commands()) {
    const std::vector<std::string> name = absl::StrSplit(Piece(command.name), ' ');
    const std::string* word = nullptr;
    if (first.empty()) word = &name[0];
    if (!first.empty() && name[0] == first && name.size() > 1) word = &name[1];
    // Commands that begin alike stand side by side.
    if (word != nullptr && (next.empty() || next.back() != *word)) next.push_back(*word);
  }
  return absl::StrJoin(next, " ");
}

std::string OptionWords(const Command* command) {
  std::string words;
  for (const Option& option : Options()) {
    if (command == nullptr ? !option.everywhere : !IsAmong(command->options, option.name)) continue;
    absl::StrAppend(&words, words.empty() ? "" : " ", "--", Piece(option.name));
    if (option.letter != 0) absl::StrAppend(&words, " -", std::string(1, option.letter));
  }
  return words;
}

// Options that take a value, and are so followed by one.
std::string OptionsWithValues() {
  std::vector<std::string> words;
  for (const Option& option : Options()) {
    if (option.value.empty()) continue;
    words.push_back(Concat("--", option.name));
    if (option.letter != 0) words.push_back(Concat("-", std::string(1, option.letter)));
  }
  return absl::StrJoin(words, "|");
}

// Commands that also take the router for a KIND.
constexpr std::string_view kOfRouter[] = {"set", "edit", "explain"};

// What follows the first word, and the options of a command: cases that both shells understand.
std::string WordCases() {
  std::string text, kinds, or_router;
  std::set<std::string> groups;
  for (const Command& command : Commands()) {
    const std::string name(command.name);
    const size_t blank = name.find(' ');
    if (blank != name.npos && groups.insert(name.substr(0, blank)).second) {
      const std::string group = name.substr(0, blank);
      absl::StrAppend(&text, "  ", group, ") next=\"", NextWords(group), "\" ;;\n");
    }
    if (command.words.find("KIND") == command.words.npos || name == "get") continue;
    const bool takes_router =
        std::find(std::begin(kOfRouter), std::end(kOfRouter), name) != std::end(kOfRouter);
    std::string& cases = takes_router ? or_router : kinds;
    absl::StrAppend(&cases, cases.empty() ? "" : "|", name);
  }
  return absl::StrCat(text, "  get) next=\"@LISTED@ router\" ;;\n", "  ", or_router,
                      ") next=\"@KINDS@ router\" ;;\n", "  ", kinds, ") next=\"@KINDS@\" ;;\n",
                      "  completion) next=\"bash zsh\" ;;\n", "  help) next=\"@COMMANDS@\" ;;\n");
}

std::string OptionCases() {
  std::string text;
  for (const Command& command : Commands()) {
    const std::string options = OptionWords(&command);
    const std::string name = absl::StrReplaceAll(Piece(command.name), {{" ", "\\ "}});
    if (options.empty()) continue;
    absl::StrAppend(&text, "  ", name, "|", name, "\\ *) options=\"", options, "\" ;;\n");
  }
  return text;
}

std::string Filled(std::string_view script, const Session& session) {
  std::string kinds;
  for (const api::Kind& kind : session.kinds()) {
    std::string name = absl::StrReplaceAll(kind.collection->section(), {{"_", "-"}});
    absl::StrAppend(&kinds, kinds.empty() ? "" : " ", name);
  }
  std::string listed;
  for (const Listed& each : session.listed()) {
    const std::string name = absl::StrReplaceAll(each.word, {{"_", "-"}});
    absl::StrAppend(&listed, listed.empty() ? "" : " ", name);
  }
  // Cases first: they have more places to be filled in.
  std::string text = absl::StrReplaceAll(
      Piece(script), {{"@WORDS@\n", WordCases()}, {"@OPTIONS@\n", OptionCases()}});
  return absl::StrReplaceAll(text, {{"@KINDS@", kinds},
                                    {"@LISTED@", listed},
                                    {"@VALUES@", OptionsWithValues()},
                                    {"@EVERYWHERE@", OptionWords(nullptr)},
                                    {"@COMMANDS@", NextWords("")},
                                    {"@FORMS@", "table wide json yaml csv name jsonpath="}});
}

}  // namespace

absl::Status PrintCompletion(Session& session) {
  const std::string shell = session.words().empty() ? "" : session.words()[0];
  if (shell != "bash" && shell != "zsh") return absl::InvalidArgumentError("give bash or zsh");
  session.Print(Filled(shell == "bash" ? BashScript() : ZshScript(), session));
  return absl::OkStatus();
}

}  // namespace trunkline::cli
