#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "control/config/document.h"
#include "router/base/log.h"

namespace trunkline::daemon {

// What trunkd was asked for on its command line.
struct Options {
  enum class Verb { kRun, kCheckConfig, kVersion, kHelp };

  Verb verb = Verb::kRun;
  std::string config;                 // file; empty: none
  std::optional<LogLevel> log_level;  // of all modules, instead of the configuration's
  std::optional<v1::LogFormat> log_format;
};

// Reads the arguments after the program's name. InvalidArgument: what is wrong with them. Pure.
absl::StatusOr<Options> ParseOptions(absl::Span<const char* const> arguments);

// What --help prints.
extern const std::string_view kUsage;

}  // namespace trunkline::daemon
