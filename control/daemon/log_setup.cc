#include "control/daemon/log_setup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "control/config/text.h"
#include "router/base/log.h"

namespace trunkline::daemon {
namespace {

LogLevel ToLevel(v1::LogLevel level) {
  switch (level) {
    case v1::LOG_LEVEL_TRACE:
      return LogLevel::kTrace;
    case v1::LOG_LEVEL_DEBUG:
      return LogLevel::kDebug;
    case v1::LOG_LEVEL_WARNING:
      return LogLevel::kWarning;
    case v1::LOG_LEVEL_ERROR:
      return LogLevel::kError;
    case v1::LOG_LEVEL_OFF:
      return LogLevel::kOff;
    default:
      return LogLevel::kInfo;
  }
}

}  // namespace

LogFormat FormatOf(const v1::LogSpec& spec, const Options& options) {
  const v1::LogFormat format = options.log_format.value_or(spec.format());
  return format == v1::LOG_FORMAT_JSON ? LogFormat::kJson : LogFormat::kText;
}

void SetLevels(const v1::LogSpec& spec, const Options& options) {
  if (options.log_level) return SetLogLevels(*options.log_level);
  const auto default_level = spec.levels().find("default");
  SetLogLevels(default_level == spec.levels().end() ? LogLevel::kInfo
                                                    : ToLevel(default_level->second));
  for (const auto& [name, level] : spec.levels()) {
    if (const auto module = ParseLogModule(name)) SetLogLevel(*module, ToLevel(level));
  }
}

absl::Status OpenLogFile(const v1::LogSpec& spec, LogWriter& log) {
  if (spec.file().empty()) {
    const int fd = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return absl::ErrnoToStatus(errno, "log.file: standard error");
    log.SetOutput(fd);
    return absl::OkStatus();
  }
  // A FIFO that nobody reads would keep us waiting; a socket cannot be opened.
  const int fd =
      ::open(spec.file().c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
             S_IRUSR | S_IWUSR | S_IRGRP);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno, config::Concat("log.file: ", spec.file()));
  }
  struct stat found = {};
  if (::fstat(fd, &found) != 0 || (!S_ISREG(found.st_mode) && !S_ISCHR(found.st_mode))) {
    ::close(fd);
    return absl::InvalidArgumentError(
        config::Concat("log.file: ", spec.file(), ": is neither a file nor a device"));
  }
  log.SetOutput(fd);
  return absl::OkStatus();
}

metrics::LogCounts CountsOf(const LogWriter& log) {
  metrics::LogCounts counts;
  for (size_t i = 0; i < counts.by_level.size(); ++i) {
    counts.by_level[i] = log.taken(static_cast<LogLevel>(i));
  }
  counts.dropped = log.dropped();
  return counts;
}

}  // namespace trunkline::daemon
