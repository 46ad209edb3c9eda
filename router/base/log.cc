#include "router/base/log.h"

#include <algorithm>

namespace trunkline {
constinit std::array<internal::LogThreshold, kLogModules> internal::g_log_thresholds;

namespace {

constinit std::atomic<LogSink*> g_log_sink{nullptr};

constexpr std::array<std::string_view, 6> kLevelNames = {"trace",   "debug", "info",
                                                         "warning", "error", "off"};
constexpr std::array<std::string_view, kLogModules> kModuleNames = {
    "log", "amqp", "tls", "core", "mesh", "conn", "net", "router", "config", "control", "daemon"};

}  // namespace

std::string_view LogLevelName(LogLevel level) { return kLevelNames[static_cast<size_t>(level)]; }

std::string_view LogModuleName(LogModule module) {
  return kModuleNames[static_cast<size_t>(module)];
}

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  const auto found = std::find(kLevelNames.begin(), kLevelNames.end(), name);
  if (found == kLevelNames.end()) return std::nullopt;
  return static_cast<LogLevel>(found - kLevelNames.begin());
}

std::optional<LogModule> ParseLogModule(std::string_view name) {
  const auto found = std::find(kModuleNames.begin(), kModuleNames.end(), name);
  if (found == kModuleNames.end()) return std::nullopt;
  return static_cast<LogModule>(found - kModuleNames.begin());
}

void SetLogSink(LogSink* sink) { g_log_sink.store(sink, std::memory_order_release); }

void SetLogLevel(LogModule module, LogLevel level) {
  internal::g_log_thresholds[static_cast<size_t>(module)].level.store(level,
                                                                      std::memory_order_relaxed);
}

void SetLogLevels(LogLevel level) {
  for (internal::LogThreshold& each : internal::g_log_thresholds) {
    each.level.store(level, std::memory_order_relaxed);
  }
}

void internal::Log(LogModule module, LogLevel level, LogKey phrase,
                   std::initializer_list<LogField> fields) {
  LogSink* sink = g_log_sink.load(std::memory_order_acquire);
  if (sink == nullptr) return;
  sink->Write(
      {.level = level,
       .module = module,
       .phrase = phrase.text(),
       .fields = absl::MakeConstSpan(fields.begin(), std::min(fields.size(), kLogFieldsMax))});
}

}  // namespace trunkline
