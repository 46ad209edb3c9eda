#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/api/method_table.h"
#include "control/api/server.h"
#include "control/certs/profile.h"
#include "control/config/document.h"
#include "router/base/time.h"

namespace trunkline::daemon {

// Sockets where the API may be, unless the configuration says where: that of the system, and that
// of the user, in `runtime_directory` ($XDG_RUNTIME_DIR; empty: there is none).
std::vector<std::string> DefaultSockets(const std::string& runtime_directory);

// Whether the policy file that `document` names, if any, can be used. For those who only check.
absl::Status CheckPolicy(const config::Document& document);

// The API server as the configuration wants it: where it listens, with which certificate, and who
// may do what; follows the files of both.
//
// Owned by the Daemon. Thread: control.
class ControlApi {
 public:
  struct Parts {
    const api::MethodTable& methods;  // outlives it
    api::Handlers handlers;
    std::function<void()> wake;     // control, for RunPosted; any thread
    std::function<Time()> now;      // of control
    std::string runtime_directory;  // of the user; empty: there is none
  };
  // FailedPrecondition, InvalidArgument: why not, the field of `control` first.
  static absl::StatusOr<std::unique_ptr<ControlApi>> Open(const config::Document& document,
                                                          Parts parts);
  ControlApi(const ControlApi&) = delete;
  ControlApi& operator=(const ControlApi&) = delete;

  void RunPosted() { server_->RunPosted(); }
  void SetServing(bool serving) { server_->SetServing(serving); }
  void Stop();

  // What is in force of tls_profile().
  void FollowCertificate(const certs::Profile& profile);
  // Id of the profile whose certificate it uses; empty: none.
  const std::string& tls_profile() const { return tls_profile_; }

  // Calls that were not let in; those that were.
  uint64_t refused(api::Refused why) const { return server_->refused(why); }
  const api::Tally& tally() const { return server_->tally(); }

  // Looks at the policy file when it is time to.
  void OnTime(Time now);
  Time due() const { return due_; }
  // At once, whenever it was looked at last.
  void FollowPolicy();

 private:
  ControlApi() = default;
  absl::StatusOr<api::Server::Options> MakeOptions(const config::Document& document,
                                                   const std::string& runtime_directory);

  std::string tls_profile_;
  uint64_t fingerprint_ = 0;   // of the profile whose certificate is in use; 0: not known yet
  std::string policy_file_;    // empty: none
  uint64_t policy_stamp_ = 0;  // of the file that was read last
  Time due_ = kNever;
  std::unique_ptr<api::Server> server_;
};

}  // namespace trunkline::daemon
