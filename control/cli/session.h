#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/api/kind.h"
#include "control/api/method_table.h"
#include "control/cli/arguments.h"
#include "control/cli/channel.h"

namespace trunkline::cli {

// What a command works with: its arguments, the router at the other end, and where it writes.
class Session {
 public:
  // InvalidArgument: options that make no sense.
  static absl::StatusOr<std::unique_ptr<Session>> Open(const Arguments& arguments);

  const Arguments& arguments() const { return arguments_; }
  Channel& channel() { return *channel_; }

  // "listeners", "listener", "tls-profile": however people write a kind. InvalidArgument: none.
  absl::StatusOr<const api::Kind*> FindKind(std::string_view word) const;

  // Standard output.
  void Print(std::string_view text) const;

 private:
  explicit Session(const Arguments& arguments);

  const Arguments arguments_;
  const api::MethodTable methods_;
  const std::vector<api::Kind> kinds_;
  std::unique_ptr<Channel> channel_;
};

// The exit status of trunkctl for how a command ended (trunkctl --help).
int ExitStatusOf(const absl::Status& status);

// Whether a router said so: its errors have reasons, those of the command line have none.
bool IsFromRouter(const absl::Status& status);

// An error as people read it: the text, then a line for each field or condition that it names.
std::string Explain(const absl::Status& status);

}  // namespace trunkline::cli
