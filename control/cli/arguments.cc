#include "control/cli/arguments.h"

#include <algorithm>

#include "control/cli/commands.h"
#include "control/config/problem.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::Quote;

constexpr Option kOptions[] = {
    {"output", 'o', "FORM", false, "table, wide, json, yaml, csv, name or jsonpath={.spec.port}"},
    {"no-headers", 0, "", false, "tables without their first line"},
    {"watch", 'w', "", false, "goes on with what changes, until it is interrupted"},
    {"filter", 0, "TEXT", false, "'status.state = failed', 'labels.team = \"a\"'"},
    {"order-by", 0, "FIELDS", false, "\"spec.port\", \"create_time desc\""},
    {"limit", 0, "N", false, "at most so many"},
    {"file", 'f', "FILE", false, "what to read; - is the standard input"},
    {"dry-run", 0, "", false, "says what would happen, and does nothing"},
    {"prune", 0, "", false, "deletes what was made over the API and is not in the file"},
    {"label", 'l', "KEY=VALUE", false, "a label; KEY- takes it away; several are taken"},
    {"etag", 0, "ETAG", false, "only if it is still this one"},
    {"ignore-not-found", 0, "", false, "fine if there is none"},
    {"offline", 0, "", false, "without asking the router"},
    {"reason", 0, "TEXT", false, "told to the peer"},
    {"follow", 'f', "", false, "goes on with what comes, until it is interrupted"},
    {"level", 0, "LEVEL", false, "of this level and above: debug, info, warning, error"},
    {"module", 0, "NAME", false, "of this module alone"},
    {"for", 0, "DURATION", false, "afterwards what is configured counts again"},
    {"body-bytes", 0, "N", false, "so much of each body, too; needs an admin"},
    {"interval", 0, "DURATION", false, "between two screens, or two pings (1s)"},
    {"once", 0, "", false, "one screen, after one interval"},
    {"cert", 0, "FILE", false, "the new certificate and its chain, PEM; it is sent"},
    {"key", 0, "FILE", false, "its key, PEM; it is sent"},
    {"ca", 0, "FILE", false, "whom to trust, PEM; it is sent"},
    {"old", 0, "", false, "those alone that are not of the certificate in force"},
    {"retire-old", 0, "WHEN", false, "connections of the old one: keep (default), now, or 10m"},
    {"allow-expired", 0, "", false, "takes a certificate that is outside of its dates"},
    {"host", 0, "NAME", false, "that clients dial; several are taken"},
    {"url", 0, "URL", false, "amqp://HOST:PORT, or amqps:// with TLS"},
    {"user", 0, "NAME", false, "who logs in"},
    {"password-file", 0, "FILE", false, "the password of --user"},
    {"ca-file", 0, "FILE", false, "whom the peer's certificate must come from, PEM"},
    {"certificate-file", 0, "FILE", false, "the own certificate and its chain, PEM"},
    {"private-key-file", 0, "FILE", false, "its key"},
    {"sasl-mechanisms", 0, "NAMES", false, "these alone, with commas between them"},
    {"count", 'n', "N", false, "so many messages"},
    {"rate", 0, "N", false, "at most so many messages per second"},
    {"body", 0, "TEXT", false, "of each message"},
    {"body-file", 0, "FILE", false, "what is in it is the body of each message"},
    {"subject", 0, "TEXT", false, "of each message"},
    {"property", 'p', "KEY=VALUE", false, "of the application; several are taken"},
    {"ttl", 0, "DURATION", false, "how long a message may take"},
    {"durable", 0, "", false, "marks messages as durable"},
    {"settled", 0, "", false, "sends settled: nobody says what became of them"},
    {"credit", 0, "N", false, "how many messages may be on their way"},
    {"answer", 0, "", false, "answers pings that others send there"},
    {"connections", 0, "N", false, "how many (1)"},
    {"size", 0, "BYTES", false, "of each message's body (100)"},
    {"duration", 0, "DURATION", false, "for how long (10s)"},
    {"endpoint", 0, "ADDRESS", true, "unix:///run/trunkline/control.sock, or HOST:PORT with TLS"},
    {"context", 0, "NAME", true, "the router of this name (trunkctl context list)"},
    {"tls-cert", 0, "FILE", true, "of HOST:PORT: the caller's certificate, PEM"},
    {"tls-key", 0, "FILE", true, "its key"},
    {"tls-ca", 0, "FILE", true, "whom the router's certificate must come from"},
    {"tls-name", 0, "NAME", true, "that the router's certificate must be for, if not HOST"},
    {"timeout", 0, "DURATION", true, "how long a call may take (30s)"},
    {"verbose", 'v', "", true, "tells each call on the standard error"},
    {"help", 'h', "", true, "explains the command"},
    {"version", 0, "", true, "says which trunkctl this is, and asks no router"},
};

// A letter may stand for two options: the one counts that the command takes, as far as it is said.
const Option* FindShort(char letter, const std::vector<std::string>& words) {
  const Command* const command = FindCommand(words);
  const Option* found = nullptr;
  for (const Option& option : kOptions) {
    if (letter == 0 || option.letter != letter) continue;
    const bool is_its_own = command != nullptr && IsAmong(command->options, option.name);
    if (found == nullptr || is_its_own) found = &option;
  }
  return found;
}

absl::Status UnknownOption(std::string_view argument) {
  std::vector<std::string> names;
  for (const Option& option : kOptions) names.push_back(Concat("--", option.name));
  return absl::InvalidArgumentError(
      Concat("unknown option ", Quote(argument), config::DidYouMean(argument, names)));
}

}  // namespace

absl::Span<const Option> Options() { return kOptions; }

const Option* FindOption(std::string_view name) {
  const auto* found = std::find_if(std::begin(kOptions), std::end(kOptions),
                                   [&](const Option& option) { return option.name == name; });
  return found == std::end(kOptions) ? nullptr : found;
}

bool IsAmong(std::string_view words, std::string_view word) {
  return Concat(" ", words, " ").find(Concat(" ", word, " ")) != std::string::npos;
}

absl::StatusOr<Arguments> Arguments::Parse(absl::Span<const char* const> arguments) {
  Arguments parsed;
  bool only_words = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (only_words || argument.size() < 2 || argument.front() != '-') {
      parsed.words_.emplace_back(argument);
      continue;
    }
    if (argument == "--") {
      only_words = true;
      continue;
    }
    const bool is_long = argument.starts_with("--");
    const size_t equals = is_long ? argument.find('=') : std::string_view::npos;
    const Option* const option =
        is_long ? FindOption(argument.substr(2, equals == argument.npos ? equals : equals - 2))
                : FindShort(argument[1], parsed.words_);
    if (option == nullptr) return UnknownOption(argument);
    std::string value;
    const bool glued = is_long ? equals != argument.npos : argument.size() > 2;
    if (glued && option->value.empty()) {
      return absl::InvalidArgumentError(Concat("--", option->name, ": takes no value"));
    }
    if (glued) {
      value = argument.substr(is_long ? equals + 1 : 2);
    } else if (!option->value.empty()) {
      if (++i == arguments.size()) {
        return absl::InvalidArgumentError(Concat("--", option->name, ": no value"));
      }
      value = arguments[i];
    }
    parsed.options_[std::string(option->name)].push_back(std::move(value));
  }
  return parsed;
}

std::string Arguments::Get(std::string_view option, std::string_view absent) const {
  const auto found = options_.find(option);
  return found == options_.end() ? std::string(absent) : found->second.back();
}

std::vector<std::string> Arguments::GetAll(std::string_view option) const {
  const auto found = options_.find(option);
  return found == options_.end() ? std::vector<std::string>() : found->second;
}

absl::Status Arguments::Expect(std::string_view command, std::string_view known) const {
  for (const auto& [name, values] : options_) {
    if (FindOption(name)->everywhere || IsAmong(known, name)) continue;
    return absl::InvalidArgumentError(Concat("--", name, ": is no option of trunkctl ", command));
  }
  return absl::OkStatus();
}

}  // namespace trunkline::cli
