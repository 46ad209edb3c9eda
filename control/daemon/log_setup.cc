#include "control/daemon/log_setup.h"

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

metrics::LogCounts CountsOf(const LogWriter& log) {
  metrics::LogCounts counts;
  for (size_t i = 0; i < counts.by_level.size(); ++i) {
    counts.by_level[i] = log.taken(static_cast<LogLevel>(i));
  }
  counts.dropped = log.dropped();
  return counts;
}

}  // namespace trunkline::daemon
