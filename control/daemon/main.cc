#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "control/api/log_feed.h"
#include "control/config/text.h"
#include "control/daemon/control_loop.h"
#include "control/daemon/core_dumps.h"
#include "control/daemon/daemon.h"
#include "control/daemon/log_setup.h"
#include "control/daemon/notify.h"
#include "control/daemon/options.h"
#include "control/store/store.h"
#include "router/base/log_writer.h"

// trunkd: the composition root. Everything is made here, handed to who needs it by constructor, and
// ended in the opposite order.
namespace trunkline::daemon {
namespace {

constexpr LogModule kLogModule = LogModule::kDaemon;

// Memory that threads give back goes to few arenas, so that bursts do not leave one per thread.
constexpr int kMemoryArenas = 2;

int64_t MillisecondsSince1970() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

uint64_t Seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

void Print(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

// Before there is a log.
int NotStarted(const absl::Status& status) {
  Print(stderr, config::Concat("trunkd: ", status.message(), "\n"));
  return EXIT_FAILURE;
}

int CheckConfig(const std::string& file) {
  const auto loaded = store::LoadFile(file, ::time(nullptr));
  if (!loaded.ok()) {
    Print(stderr, config::View(loaded.status().message()));
    return EXIT_FAILURE;
  }
  if (const absl::Status policy = CheckPolicy(loaded->configuration.document); !policy.ok()) {
    Print(stderr, config::Concat(policy.message(), "\n"));
    return EXIT_FAILURE;
  }
  if (!loaded->warnings.empty()) {
    Print(stderr, config::Concat("warnings:\n", loaded->warnings));
  }
  Print(stdout, config::Concat(file, ": good\n"));
  return EXIT_SUCCESS;
}

// With the log in place: anything that goes wrong from here on is a record.
int Serve(const Options& options, ControlLoop& loop, LogWriter& log, api::LogFeed& logs,
          std::unique_ptr<store::Store> store) {
  const char* socket = ::getenv("NOTIFY_SOCKET");
  const char* runtime_directory = ::getenv("XDG_RUNTIME_DIR");
  Notifier notifier(socket == nullptr ? "" : socket);
  Daemon daemon({.loop = loop,
                 .notifier = notifier,
                 .version = TRUNKLINE_VERSION,
                 .runtime_directory = runtime_directory == nullptr ? "" : runtime_directory,
                 .set_levels = [&](const v1::LogSpec& spec) { SetLevels(spec, options); },
                 .open_log = [&log](const v1::LogSpec& spec) { return OpenLogFile(spec, log); },
                 .log_counts = [&log] { return CountsOf(log); },
                 .logs = logs,
                 .seed = Seed()},
                options.config, std::move(store));
  if (absl::Status status = daemon.Start(); !status.ok()) {
    LogLines(LogLevel::kError, config::View(status.message()));
    TL_LOG(error, "not started");
    return EXIT_FAILURE;
  }
  daemon.Serve();
  loop.Close();
  return EXIT_SUCCESS;
}

int Run(const Options& options, const CoreDumps& core_dumps) {
  // Signals first: threads inherit what is blocked.
  absl::Status blocked = ControlLoop::BlockSignals();
  auto loop = ControlLoop::Open();
  if (!blocked.ok() || !loop.ok()) return NotStarted(blocked.ok() ? loop.status() : blocked);
  Random random(Seed());
  auto store =
      store::Store::Open({.file = options.config},
                         {.post = [&loop](auto function) { (*loop)->Post(std::move(function)); },
                          .now = MillisecondsSince1970,
                          .random = random});
  if (!store.ok()) {
    Print(stderr, config::View(store.status().message()));
    return EXIT_FAILURE;
  }
  if ((*store)->file().router.core_dumps()) {
    if (const absl::Status status = core_dumps.Permit(); !status.ok()) return NotStarted(status);
  }
  api::LogFeed logs([&loop] { (*loop)->Wake(); });
  LogWriter log({.format = FormatOf((*store)->file().log, options),
                 .observer = [&logs](int64_t unix_ns, const LogRecord& record) {
                   logs.Push(unix_ns, record);
                 }});
  if (!(*store)->file().log.file().empty()) {
    if (absl::Status status = OpenLogFile((*store)->file().log, log); !status.ok()) {
      return NotStarted(status);
    }
  }
  SetLogSink(&log);
  const int status = Serve(options, **loop, log, logs, *std::move(store));
  SetLogSink(nullptr);
  return status;
}

int Main(absl::Span<const char* const> arguments) {
  const auto core_dumps = CoreDumps::Forbid();
  if (!core_dumps.ok()) return NotStarted(core_dumps.status());
  const auto options = ParseOptions(arguments);
  if (!options.ok()) {
    Print(stderr, config::Concat("trunkd: ", options.status().message(), "; see trunkd --help\n"));
    return EXIT_FAILURE;
  }
  switch (options->verb) {
    case Options::Verb::kVersion:
      Print(stdout, TRUNKLINE_VERSION "\n");
      return EXIT_SUCCESS;
    case Options::Verb::kHelp:
      Print(stdout, kUsage);
      return EXIT_SUCCESS;
    case Options::Verb::kCheckConfig:
      return CheckConfig(options->config);
    case Options::Verb::kRun:
      return Run(*options, *core_dumps);
  }
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace trunkline::daemon

int main(int count, char** arguments) {
  ::mallopt(M_ARENA_MAX, trunkline::daemon::kMemoryArenas);
  const auto all = absl::MakeConstSpan(arguments, static_cast<size_t>(count));
  return trunkline::daemon::Main(all.subspan(count > 0 ? 1 : 0));
}
