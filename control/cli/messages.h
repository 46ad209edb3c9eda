#pragma once

#include "absl/status/status.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// Commands that are AMQP clients themselves.

absl::Status SendMessages(Session& session);     // send ADDRESS
absl::Status ReceiveMessages(Session& session);  // receive ADDRESS
absl::Status Ping(Session& session);             // ping [ADDRESS]
absl::Status Bench(Session& session);            // bench ADDRESS

// What --help says behind their options: how to log in here.
std::string LoginHelp();

}  // namespace trunkline::cli
