#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "control/certs/profile.h"
#include "control/reconcile/diff.h"
#include "control/users/store.h"
#include "router/router.h"

namespace trunkline::reconcile {

// What the router would not take.
struct Failure {
  std::string path;  // "listeners[amqp]"
  absl::Status status;
};

// Makes the router have what is wanted. What fails stays as it was and is tried again by the next
// call. Owned by the daemon. Thread: control.
class Reconciler {
 public:
  explicit Reconciler(Router& router) : router_(router) {  // outlives us
    have_.router = router.settings();
  }

  // What resources name.
  struct Named {
    const std::map<std::string, certs::Profile>& profiles;
    const std::map<std::string, users::Store>& stores;
  };
  // Makes ready what the router could refuse of `want`, so that Reconcile then has it all, and says
  // what it refuses: a place that a listener cannot have. Nothing that is served changes, but that
  // listeners which are to go or to move may no longer listen where they are in the way. Reconcile
  // or Undo ends it.
  std::vector<Failure> Prepare(const Resources& want);
  void Undo() { router_.DropHeld(); }
  // What Prepare would say, without disturbing anybody.
  std::vector<Failure> Check(const Resources& want);

  // Hands over the profiles and user stores that differ from those in force, then the resources
  // that do; last go the profiles and stores that nothing names any more.
  std::vector<Failure> Reconcile(const Named& named, const Resources& want);
  // One profile, if it differs from what is in force.
  absl::Status SetTls(const std::string& name, const certs::Profile& profile);
  // One user store, likewise.
  absl::Status SetUsers(const std::string& name, const users::Store& store);

  // Has a connector dialled anew, which ends its connection if it has one. FailedPrecondition: the
  // router has none of this name.
  absl::Status Redial(const std::string& connector);

  // 0: no profile of this name is in force.
  uint64_t TlsFingerprint(const std::string& profile) const;
  // By which the router knows the certificates of a profile that are in force (Router::SetTls):
  // counts up from 1, or from those of profiles that are gone: connections and handshakes of one of
  // the same name have older revisions. 0: there is none of this name.
  uint64_t TlsRevision(const std::string& profile) const;
  // Likewise of user stores.
  uint64_t UsersStamp(const std::string& store) const;

 private:
  std::vector<Failure> Hold(const Resources& want, const std::vector<std::string>& leaving);
  void RemoveTls(const std::map<std::string, certs::Profile>& wanted,
                 std::vector<Failure>& failures);
  void RemoveUsers(const std::map<std::string, users::Store>& wanted,
                   std::vector<Failure>& failures);
  absl::Status Do(const RemoveConnector& action);
  absl::Status Do(const RemoveListener& action);
  absl::Status Do(const ApplyRouter& action);
  absl::Status Do(const ApplyAddresses& action);
  absl::Status Do(const ListenerSpec& spec);
  absl::Status Do(const ConnectorSpec& spec);

  Router& router_;
  Resources have_;
  struct Tls {
    uint64_t fingerprint = 0;  // of what the router was given
    uint64_t revision = 0;     // of it
    bool in_force = false;     // it said so
  };
  std::map<std::string, Tls> tls_;
  uint64_t revisions_gone_ = 0;            // the highest of profiles that are
  std::map<std::string, uint64_t> users_;  // stamps in force
};

}  // namespace trunkline::reconcile
