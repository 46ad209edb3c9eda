#pragma once

#include "absl/status/status.h"
#include "control/config/document.h"
#include "control/daemon/options.h"
#include "control/metrics/state.h"
#include "router/base/log_format.h"
#include "router/base/log_writer.h"

namespace trunkline::daemon {

// How records are to look: as the command line says, else as the configuration does.
LogFormat FormatOf(const v1::LogSpec& spec, const Options& options);

// Puts levels in force: the one of the command line for all modules, else the configuration's.
// REQUIRES: the spec is valid.
void SetLevels(const v1::LogSpec& spec, const Options& options);

// Has the log written to the end of its file, which is opened again each time; without one it stays
// at standard error. Does not wait. What open(2) says, with the path; or InvalidArgument: it is
// neither a file nor a device. The log stays where it was then.
absl::Status OpenLogFile(const v1::LogSpec& spec, LogWriter& log);

// What was logged so far. Any thread.
metrics::LogCounts CountsOf(const LogWriter& log);

}  // namespace trunkline::daemon
