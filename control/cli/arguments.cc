#include "control/cli/arguments.h"

#include <algorithm>

#include "control/config/problem.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::Quote;

struct Option {
  std::string_view name;
  char letter;  // 0: none
  bool has_value;
  bool everywhere;  // every command takes it
};

constexpr Option kOptions[] = {
    {"endpoint", 0, true, true},
    {"tls-cert", 0, true, true},
    {"tls-key", 0, true, true},
    {"tls-ca", 0, true, true},
    {"tls-name", 0, true, true},
    {"timeout", 0, true, true},
    {"help", 'h', false, true},
    {"output", 'o', true, false},
    {"no-headers", 0, false, false},
    {"watch", 'w', false, false},
    {"filter", 0, true, false},
    {"order-by", 0, true, false},
    {"limit", 0, true, false},
    {"file", 'f', true, false},
    {"dry-run", 0, false, false},
    {"prune", 0, false, false},
    {"label", 'l', true, false},
    {"etag", 0, true, false},
    {"ignore-not-found", 0, false, false},
};

const Option* FindLong(std::string_view name) {
  const auto* found = std::find_if(std::begin(kOptions), std::end(kOptions),
                                   [&](const Option& option) { return option.name == name; });
  return found == std::end(kOptions) ? nullptr : found;
}

const Option* FindShort(char letter) {
  const auto* found = std::find_if(std::begin(kOptions), std::end(kOptions),
                                   [&](const Option& option) { return option.letter == letter; });
  return letter == 0 || found == std::end(kOptions) ? nullptr : found;
}

absl::Status UnknownOption(std::string_view argument) {
  std::vector<std::string> names;
  for (const Option& option : kOptions) names.push_back(Concat("--", option.name));
  return absl::InvalidArgumentError(
      Concat("unknown option ", Quote(argument), config::DidYouMean(argument, names)));
}

}  // namespace

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
        is_long ? FindLong(argument.substr(2, equals == argument.npos ? equals : equals - 2))
                : FindShort(argument[1]);
    if (option == nullptr) return UnknownOption(argument);
    std::string value;
    const bool glued = is_long ? equals != argument.npos : argument.size() > 2;
    if (glued && !option->has_value) {
      return absl::InvalidArgumentError(Concat("--", option->name, ": takes no value"));
    }
    if (glued) {
      value = argument.substr(is_long ? equals + 1 : 2);
    } else if (option->has_value) {
      if (++i == arguments.size()) {
        return absl::InvalidArgumentError(Concat("--", option->name, ": no value"));
      }
      value = arguments[i];
    }
    parsed.options_[std::string(option->name)] = std::move(value);
  }
  return parsed;
}

std::string Arguments::Get(std::string_view option, std::string_view absent) const {
  const auto found = options_.find(option);
  return found == options_.end() ? std::string(absent) : found->second;
}

absl::Status Arguments::Expect(std::string_view command,
                               const std::vector<std::string_view>& known) const {
  for (const auto& [name, value] : options_) {
    if (FindLong(name)->everywhere || std::find(known.begin(), known.end(), name) != known.end()) {
      continue;
    }
    return absl::InvalidArgumentError(Concat("--", name, ": is no option of trunkctl ", command));
  }
  return absl::OkStatus();
}

}  // namespace trunkline::cli
