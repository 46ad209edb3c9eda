#include "control/daemon/options.h"

#include <array>

#include "absl/strings/str_join.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::daemon {

using config::Concat;
using config::Quote;

const std::string_view kUsage =
    R"(Usage: trunkd [--config FILE]
       trunkd --check-config FILE

Routes AMQP 1.0 messages. Without a configuration it serves clients of this
machine on 127.0.0.1:5672 and [::1]:5672.

  -c, --config FILE        resources to serve, as YAML or as a qdrouterd.conf of
                           Qpid Dispatch; read again when it changes and on SIGHUP
      --check-config FILE  says what is wrong with FILE and the certificates it
                           names, and exits: 0 good, 1 bad
      --log-level LEVEL    trace, debug, info, warning, error or off, for all
                           modules, whatever the configuration says
      --log-format FORMAT  text or json, whatever the configuration says
  -I, --include DIR        ignored; for command lines of qdrouterd
  -T, --test-hooks         ignored; for command lines of qdrouterd
  -v, --version            prints the version
  -h, --help               prints this

The control API (gRPC) is at /run/trunkline/control.sock, or where that cannot
be had at $XDG_RUNTIME_DIR/trunkline/control.sock; "control:" says otherwise.

SIGTERM, SIGINT and SIGQUIT stop it: no new connections, unsettled messages
finish within router.drain_timeout (30s), connections are closed. A second one
stops it at once.
)";

namespace {

enum class Option { kConfig, kCheckConfig, kLogLevel, kLogFormat, kIgnored, kVersion, kHelp };

struct Spelling {
  std::string_view name;
  Option option;
  bool has_value;
};

constexpr std::array<Spelling, 13> kSpellings = {{{"-c", Option::kConfig, true},
                                                  {"--config", Option::kConfig, true},
                                                  {"--check-config", Option::kCheckConfig, true},
                                                  {"--log-level", Option::kLogLevel, true},
                                                  {"--log-format", Option::kLogFormat, true},
                                                  {"-I", Option::kIgnored, true},
                                                  {"--include", Option::kIgnored, true},
                                                  {"-T", Option::kIgnored, false},
                                                  {"--test-hooks", Option::kIgnored, false},
                                                  {"-v", Option::kVersion, false},
                                                  {"--version", Option::kVersion, false},
                                                  {"-h", Option::kHelp, false},
                                                  {"--help", Option::kHelp, false}}};

const Spelling* Find(std::string_view name) {
  for (const Spelling& spelling : kSpellings) {
    if (spelling.name == name) return &spelling;
  }
  return nullptr;
}

absl::Status SetFile(Options& options, Options::Verb verb, std::string_view file) {
  if (!options.config.empty()) return absl::InvalidArgumentError("more than one configuration");
  if (file.empty()) return absl::InvalidArgumentError("the name of the file is empty");
  options.config = std::string(file);
  if (verb == Options::Verb::kCheckConfig) options.verb = verb;
  return absl::OkStatus();
}

absl::Status SetLogFormat(Options& options, std::string_view name) {
  const google::protobuf::EnumDescriptor& type = *v1::LogFormat_descriptor();
  const auto* value = config::FindByShortName(type, name);
  if (value == nullptr) {
    return absl::InvalidArgumentError(Concat("--log-format: ", Quote(name), " is not one of ",
                                             absl::StrJoin(config::ShortNames(type), ", ")));
  }
  options.log_format = static_cast<v1::LogFormat>(value->number());
  return absl::OkStatus();
}

absl::Status Set(Options& options, Option option, std::string_view value) {
  switch (option) {
    case Option::kConfig:
      return SetFile(options, Options::Verb::kRun, value);
    case Option::kCheckConfig:
      return SetFile(options, Options::Verb::kCheckConfig, value);
    case Option::kLogLevel:
      options.log_level = ParseLogLevel(value);
      if (options.log_level) return absl::OkStatus();
      return absl::InvalidArgumentError(Concat(
          "--log-level: ", Quote(value), " is not one of trace, debug, info, warning, error, off"));
    case Option::kLogFormat:
      return SetLogFormat(options, value);
    case Option::kIgnored:
      return absl::OkStatus();
    case Option::kVersion:
      options.verb = Options::Verb::kVersion;
      return absl::OkStatus();
    case Option::kHelp:
      options.verb = Options::Verb::kHelp;
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Options> ParseOptions(absl::Span<const char* const> arguments) {
  Options options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const size_t equals = argument.starts_with("--") ? argument.find('=') : std::string_view::npos;
    const std::string_view name = argument.substr(0, equals);
    const Spelling* spelling = Find(name);
    if (spelling == nullptr) {
      return absl::InvalidArgumentError(
          Concat(argument.starts_with('-') ? "unknown option " : "stray argument ", Quote(name)));
    }
    std::string_view value;
    if (equals != std::string_view::npos) {
      if (!spelling->has_value) return absl::InvalidArgumentError(Concat(name, ": takes no value"));
      value = argument.substr(equals + 1);
    } else if (spelling->has_value) {
      if (++i == arguments.size()) return absl::InvalidArgumentError(Concat(name, ": no value"));
      value = arguments[i];
    }
    TL_RETURN_IF_ERROR(Set(options, spelling->option, value));
    // Whatever follows, this is what was asked for.
    if (options.verb == Options::Verb::kHelp || options.verb == Options::Verb::kVersion) break;
  }
  return options;
}

}  // namespace trunkline::daemon
