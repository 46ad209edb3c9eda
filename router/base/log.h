#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <variant>

#include "absl/types/span.h"

namespace trunkline {

// Records of what an operator cares about: a fixed phrase and fields.
//
//   constexpr LogModule kLogModule = LogModule::kNet;   // once per .cc file, in its namespace {}
//   TL_LOG(info, "lane up", {"peer", peer.name}, {"lane", lane});
//
// A record that is switched off costs one relaxed load; its fields are not evaluated. One that is
// on goes to the sink, which does not block. There are no records per message.

enum class LogLevel : uint8_t { kTrace, kDebug, kInfo, kWarning, kError, kOff };

// Who speaks: the folders, more or less. Levels are set per module.
enum class LogModule : uint8_t {
  kLog,  // the log itself: records lost or suppressed
  kAmqp,
  kTls,
  kCore,
  kMesh,
  kConn,
  kNet,
  kRouter,
  kConfig,
  kControl,
  kDaemon,
};
inline constexpr size_t kLogModules = static_cast<size_t>(LogModule::kDaemon) + 1;

// "info", "net"; and back, where nothing is left to guess.
std::string_view LogLevelName(LogLevel level);
std::string_view LogModuleName(LogModule module);
std::optional<LogLevel> ParseLogLevel(std::string_view name);
std::optional<LogModule> ParseLogModule(std::string_view name);

// A name that is a literal, so that a record can point to it for ever.
class LogKey {
 public:
  template <size_t N>
  consteval LogKey(const char (&literal)[N]) : text_(literal, N - 1) {}  // NOLINT: implicit
  constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

using LogValue = std::variant<int64_t, uint64_t, double, bool, std::string_view>;

// key=value. Text is referred to, not copied: good for the full expression it is made in.
struct LogField {
  LogField() = default;
  LogField(LogKey k, bool v) : key(k.text()), value(v) {}
  LogField(LogKey k, double v) : key(k.text()), value(v) {}
  LogField(LogKey k, std::string_view v) : key(k.text()), value(v) {}
  LogField(LogKey k, const char* v) : LogField(k, std::string_view(v)) {}
  template <std::signed_integral T>
  LogField(LogKey k, T v) : key(k.text()), value(static_cast<int64_t>(v)) {}
  template <std::unsigned_integral T>
  LogField(LogKey k, T v) : key(k.text()), value(static_cast<uint64_t>(v)) {}

  std::string_view key;
  LogValue value;
};

// Fields above this number are left out of a record.
inline constexpr size_t kLogFieldsMax = 16;

struct LogRecord {
  LogLevel level = LogLevel::kInfo;
  LogModule module = LogModule::kLog;
  std::string_view phrase;  // a literal
  absl::Span<const LogField> fields;
};

// Where records go. Production has LogWriter; tests may have anything.
//
// Thread: Write is called by any thread, also by several at a time. It must not block and not log.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void Write(const LogRecord& record) = 0;
};

// The sink of the process; null, as at the start, drops everything. REQUIRES: before a sink is
// destroyed it is replaced and threads that may log have ended.
void SetLogSink(LogSink* sink);

// From which level on records are kept: kInfo at the start. Any thread, at any time.
void SetLogLevel(LogModule module, LogLevel level);
void SetLogLevels(LogLevel level);  // of every module

namespace internal {
// The level of one module; constant-initialised, so that any constructor may log.
struct LogThreshold {
  std::atomic<LogLevel> level{LogLevel::kInfo};
};
// With the sink's pointer the only mutable globals of the program.
extern constinit std::array<LogThreshold, kLogModules> g_log_thresholds;
void Log(LogModule module, LogLevel level, LogKey phrase, std::initializer_list<LogField> fields);
}  // namespace internal

inline LogLevel GetLogLevel(LogModule module) {
  return internal::g_log_thresholds[static_cast<size_t>(module)].level.load(
      std::memory_order_relaxed);
}

inline bool IsLogged(LogModule module, LogLevel level) { return level >= GetLogLevel(module); }

// The levels as TL_LOG spells them.
namespace log_level {
inline constexpr LogLevel trace = LogLevel::kTrace;
inline constexpr LogLevel debug = LogLevel::kDebug;
inline constexpr LogLevel info = LogLevel::kInfo;
inline constexpr LogLevel warning = LogLevel::kWarning;
inline constexpr LogLevel error = LogLevel::kError;
}  // namespace log_level

}  // namespace trunkline

// TL_LOG(level, "fixed phrase", {"key", value}, ...): level is one of log_level; kLogModule is
// found where the macro stands.
#define TL_LOG(level_, phrase_, ...)                                                  \
  do {                                                                                \
    if (::trunkline::IsLogged(kLogModule, ::trunkline::log_level::level_)) {          \
      ::trunkline::internal::Log(kLogModule, ::trunkline::log_level::level_, phrase_, \
                                 {__VA_ARGS__});                                      \
    }                                                                                 \
  } while (false)
