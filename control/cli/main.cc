#include <cstdio>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "control/cli/arguments.h"
#include "control/cli/resources.h"
#include "control/cli/router.h"
#include "control/cli/session.h"
#include "control/config/text.h"

// trunkctl: what a running router does, seen and changed over its API.
namespace trunkline::cli {
namespace {

constexpr int kUsageStatus = 2;

constexpr std::string_view kUsage =
    R"(Usage: trunkctl COMMAND [ARGUMENTS] [OPTIONS]

Shows and changes what a running trunkd does.

  get KIND [ID...]                    lists resources, or shows some
  create KIND ID [FIELD=VALUE...]     makes one
  set KIND ID FIELD=VALUE...          changes fields of one
  delete KIND ID...                   takes some away
  config show                         the configuration, as YAML, without secrets
  config check FILE                   says what is wrong with a trunkline.yaml
  status                              the router at a glance
  drain                               finishes messages, closes connections
  shutdown                            drains, then ends the process
  version                             of trunkctl and of the router

KIND is listeners, connectors, tls-profiles, user-stores or addresses, also in
the singular. Fields and values are those of trunkline.yaml:
  trunkctl create listener amqps port=5671 tls_profile=service
  trunkctl set listener amqps sasl_mechanisms=[EXTERNAL,PLAIN]

  -o, --output FORM       table, wide, json, yaml or name
      --no-headers        tables without their first line
  -w, --watch             get: tells what changes, until it is interrupted
      --filter TEXT       get: 'status.state = STATE_OPEN', 'labels.team = "a"'
      --order-by FIELD    get: "spec.port", "create_time desc"
      --limit N           get: at most so many
      --dry-run           says what would happen, and does nothing
      --etag ETAG         set, delete: only if it is still this one
      --ignore-not-found  delete: fine if there is none

      --endpoint ADDRESS  unix:///run/trunkline/control.sock (default; also
                          $TRUNKLINE_ENDPOINT), or HOST:PORT, always with TLS
      --tls-cert, --tls-key, --tls-ca FILE
                          of HOST:PORT: who calls, and whom to trust
      --tls-name NAME     that the router's certificate must be for
      --timeout DURATION  of a call (30s)
  -h, --help              prints this

Exit status: 0 good, 1 failed, 2 usage, 3 not found, 4 conflict, 5 denied,
6 unreachable.
)";

struct Command {
  std::string_view name;
  absl::Status (*run)(Session& session);
};

constexpr Command kCommands[] = {
    {"get", &Get},           {"create", &Create},     {"set", &Set},
    {"delete", &Delete},     {"config", &Config},     {"status", &Status},
    {"drain", &DrainRouter}, {"shutdown", &Shutdown}, {"version", &Version}};

void Print(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

int Usage(std::string_view problem) {
  Print(stderr, config::Concat("trunkctl: ", problem, "; see trunkctl --help\n"));
  return kUsageStatus;
}

int Run(const Command& command, const Arguments& arguments) {
  auto session = Session::Open(arguments);
  if (!session.ok()) return Usage(config::View(session.status().message()));
  const absl::Status status = command.run(**session);
  if (status.ok()) return 0;
  // What the router says about a request has a reason; what we say about the command line has none.
  if (absl::IsInvalidArgument(status) && !IsFromRouter(status)) {
    return Usage(config::View(status.message()));
  }
  Print(stderr, Explain(status));
  return ExitStatusOf(status);
}

int Main(absl::Span<const char* const> all) {
  const auto arguments = Arguments::Parse(all);
  if (!arguments.ok()) return Usage(config::View(arguments.status().message()));
  if (arguments->Has("help")) {
    Print(stdout, kUsage);
    return 0;
  }
  if (arguments->words().empty()) return Usage("no command");
  for (const Command& command : kCommands) {
    if (command.name == arguments->words().front()) return Run(command, *arguments);
  }
  return Usage(config::Concat("no command ", config::Quote(arguments->words().front())));
}

}  // namespace
}  // namespace trunkline::cli

int main(int count, char** arguments) {
  const auto all = absl::MakeConstSpan(arguments, static_cast<size_t>(count));
  return trunkline::cli::Main(all.subspan(count > 0 ? 1 : 0));
}
