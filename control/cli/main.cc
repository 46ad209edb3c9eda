#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "control/cli/arguments.h"
#include "control/cli/commands.h"
#include "control/cli/help.h"
#include "control/cli/router.h"
#include "control/cli/session.h"
#include "control/config/text.h"

// trunkctl: what a running router does, seen and changed over its API.
namespace trunkline::cli {
namespace {

constexpr int kUsageStatus = 2;

void Print(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

int Usage(std::string_view problem, std::string_view group = "") {
  Print(stderr, config::Concat("trunkctl: ", problem, "; see trunkctl ", group,
                               group.empty() ? "" : " ", "--help\n"));
  return kUsageStatus;
}

int Run(const Command& command, const Arguments& arguments) {
  absl::Status status = arguments.Expect(command.name, command.options);
  if (status.ok()) {
    Session session(arguments, WordsOf(command));
    const bool is_too_much = command.words.empty() && !session.words().empty();
    status = is_too_much ? absl::InvalidArgumentError("takes no words") : command.run(session);
  }
  if (status.ok()) return 0;
  // What the router says about a request has a reason; what we say about the command line has none.
  if (absl::IsInvalidArgument(status) && !IsFromRouter(status)) {
    Print(stderr, config::Concat("trunkctl ", command.name, ": ", config::View(status.message()),
                                 "; see trunkctl ", command.name, " --help\n"));
    return kUsageStatus;
  }
  if (!status.message().empty()) Print(stderr, Explain(status));
  return ExitStatusOf(status);
}

int Main(absl::Span<const char* const> all) {
  const auto arguments = Arguments::Parse(all);
  if (!arguments.ok()) return Usage(config::View(arguments.status().message()));
  const std::vector<std::string>& words = arguments->words();
  const Command* const command = FindCommand(words);
  if (arguments->Has("help") || arguments->Has("version")) {
    const absl::StatusOr<std::string> text = arguments->Has("help") ? HelpFor(words) : OwnVersion();
    if (!text.ok()) return Usage(config::View(text.status().message()));
    Print(stdout, *text);
    return 0;
  }
  if (command != nullptr) return Run(*command, *arguments);
  if (words.empty()) return Usage("no command");
  return Usage(config::View(NoCommand(words).message()),
               CommandsUnder(words.front()).empty() ? "" : words.front());
}

// gRPC leaves an eventfd where the standard input was closed, before main: the one number that it
// takes for none. Nothing that is passed to a program is of no type.
bool IsOpen(int stream) {
  struct stat about {};
  return ::fstat(stream, &about) == 0 && (about.st_mode & S_IFMT) != 0;
}

// Of standard streams that are closed: a connection would get their number, and our output.
void OpenStandardStreams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (IsOpen(stream)) continue;
    // The wrong way round: using it stays an error. The lowest number that is free is this one.
    ::close(stream);
    ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

// A full disk is no success.
int Written(int status) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  Print(stderr, "trunkctl: the standard output cannot be written\n");
  return status == 0 ? 1 : status;
}

}  // namespace
}  // namespace trunkline::cli

int main(int count, char** arguments) {
  const auto all = absl::MakeConstSpan(arguments, static_cast<size_t>(count));
  trunkline::cli::OpenStandardStreams();
  return trunkline::cli::Written(trunkline::cli::Main(all.subspan(count > 0 ? 1 : 0)));
}
