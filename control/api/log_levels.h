#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/api/desk.h"
#include "proto/trunkline/control/v1/trace_service.pb.h"
#include "router/base/log.h"
#include "router/base/time.h"

namespace trunkline::api {

// The levels of the log, as configured and as set over the API for a while
// (TraceService.GetLogLevels, SetLogLevel).
//
// Owned by the daemon. Time is a parameter. Thread: control.
class LogLevels {
 public:
  struct Hooks {
    std::function<Time()> clock;
    std::function<int64_t()> wall_clock;  // milliseconds since 1970
  };
  // What is in force now counts as configured.
  explicit LogLevels(Hooks hooks);
  LogLevels(const LogLevels&) = delete;
  LogLevels& operator=(const LogLevels&) = delete;

  // By Method::key. They refer to this.
  Handlers MakeHandlers();

  // Levels were put in force as configured: those set over the API count again.
  void OnConfigured();
  void OnTime(Time now);
  // When a level goes back; kNever: none does.
  Time due() const;

 private:
  struct Override {
    LogLevel level = LogLevel::kInfo;
    Time until = kNever;
  };

  void Set(Call& call);
  v1::LogLevels All() const;
  void PutBack(size_t module);

  const Hooks hooks_;
  std::array<LogLevel, kLogModules> configured_{};          // by LogModule
  std::array<std::optional<Override>, kLogModules> set_{};  // likewise
};

// InvalidArgument (INVALID_FIELD, field `module`): there is none of this name.
absl::StatusOr<LogModule> ModuleOf(std::string_view name);
// InvalidArgument (INVALID_FIELD, field `level`): it is none.
absl::Status CheckLevel(v1::LogLevel level);

}  // namespace trunkline::api
