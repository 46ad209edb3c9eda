#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/reconcile/reconciler.h"
#include "control/store/configuration.h"
#include "control/store/layers.h"
#include "control/store/state_dir.h"

namespace trunkline::store {

// The truth about what the router should have, and the only way to change it. A change is made in
// four steps, of which the last cannot fail:
//
//   validate   the new document as a whole, its certificates and users loaded
//   prepare    what the router may refuse: the places of listeners are held
//   persist    the resources made over the API are on the disk (state_dir.h)
//   commit     the router is told, readers see the new documents
//
// A failure in any step leaves everything as it was: router, memory, disk. (A disk that fails so
// that nobody knows what is on it is told from that: STATE_UNCERTAIN.) Changes are made one after
// the other, in the order they were asked for; reading never waits.
//
// Owned by the daemon. Thread: control.
class Store {
 public:
  struct Options {
    std::string file;  // configuration file; empty: DefaultDocument
    // Where what is made over the API is kept; empty: where the file says, which may be nowhere.
    std::string state_directory;
    size_t pending_max = 256;       // changes that wait for those before them
    size_t resources_max = 20'000;  // made over the API
    // Of what is kept. Well below what a start reads: another version may write it larger.
    size_t state_bytes_max = kStateBytesMax / 2;
  };
  struct Hooks {
    // Runs a function on the control thread; any thread.
    std::function<void(std::function<void()>)> post;
    // Milliseconds since 1970.
    std::function<int64_t()> now;
    Random& random;  // of uids; outlives the store
  };

  // Reads file and state. Nothing is in force until Start. InvalidArgument and others: all
  // problems, one per line.
  static absl::StatusOr<std::unique_ptr<Store>> Open(Options options, Hooks hooks);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Puts everything in force. What the router refuses of the file is returned; what it refuses of
  // the rest is tried again by Retry. `router` outlives the store.
  using Changed = std::function<void(const std::vector<Difference>& differences)>;
  // `changed` is told after each commit what is another than before.
  std::vector<reconcile::Failure> Start(Router& router, Changed changed);
  // Resources that are not in force as they should be, by path ("listeners[amqp]"), and why.
  const std::map<std::string, absl::Status>& failures() const { return failures_; }
  // Tries again to put in force what is not, once the changes before it are done. `done` is told
  // the paths of which something else is to be said than before.
  void Retry(std::function<void(const std::vector<std::string>& paths)> done);
  // The process ends: waits for the disk if it has a change, which ends as it would have, and fails
  // all that wait, and all that come later, as Unavailable (STOPPING). Before the router is
  // stopped.
  void Stop();

  // What a change did, or would do: one for each resource that is not what it was.
  struct Outcome {
    std::vector<Difference> differences;
    bool persisted = false;
  };
  using Done = std::function<void(absl::StatusOr<Outcome> outcome)>;
  // Edits the resources made over the API; what it fails with is the answer. The rest of what a
  // resource carries about itself is filled in (StampLayer).
  using Change = std::function<absl::Status(config::Document& made)>;
  enum class Mode { kApply, kValidate };
  struct How {
    How(Mode how_far, bool expired_too = false) : mode(how_far), allow_expired(expired_too) {}
    Mode mode;
    bool allow_expired;  // takes certificates that are outside of their dates
  };

  // InvalidArgument with a violation for each problem, the path of the problem as its field;
  // FailedPrecondition: PORT_IN_USE, CERTIFICATE_EXPIRED and others; ResourceExhausted: too many
  // wait, or there are, or they are too large together (STATE_TOO_LARGE); Unavailable: the disk
  // (STATE_NOT_WRITTEN; STATE_UNCERTAIN: it may have the change all the same). `done` is called
  // once, at once or later.
  void Mutate(Change change, How how, Done done);

  // Another certificate for one TLS profile: `given`, or what is in its files now.
  struct Rotation {
    std::string profile;                                     // id
    std::shared_ptr<const config::InlineCertificate> given;  // null: from its files
    bool allow_expired = false;
  };
  struct Rotated {
    certs::Profile last;
    certs::Profile next;
    bool persisted = false;
  };
  // In force when it is done; what is bad is refused, and nothing is changed. InvalidArgument,
  // FailedPrecondition: what is wrong with it (tls::FaultOf); READ_ONLY_SOURCE; NotFound; and as
  // Mutate, with whose changes it stands in line.
  using RotationDone = std::function<void(absl::StatusOr<Rotated> rotated)>;
  void Rotate(Rotation rotation, Mode mode, RotationDone done);
  // Whether `next` is no worse for a profile than what it has: in its dates, or the certificate
  // that is in force, though others may be trusted by now.
  bool MayCount(const std::string& profile, const certs::Profile& next) const;
  // Looks whether files of TLS profiles have changed on the disk, and lets what is good count, once
  // the changes before it are done. Who was told by Start is told that something is another,
  // without a difference.
  void FollowTls();
  // Why what is in the files of a profile is not in force, once it has been bad for some seconds;
  // OK otherwise.
  absl::Status TlsTrouble(const std::string& profile) const;
  // Certificates that were refused, since start: by TlsTrouble, and by Rotate.
  uint64_t TlsRefused(const std::string& profile) const;

  // Has `refused` told whenever a certificate is refused that a profile should have had instead of
  // the one in force: as counted by TlsRefused.
  using Refused = std::function<void(const std::string& profile, const absl::Status& why)>;
  void OnRefused(Refused refused) { refused_ = std::move(refused); }

  // Has `changed` told after each commit by which the router's spec is another, and where that came
  // from.
  using RouterChanged = std::function<void(v1::Source source)>;
  void OnRouterChanged(RouterChanged changed) { router_changed_ = std::move(changed); }

  // Reads the configuration file, its certificates and users again. `allow` has the last word on
  // what was loaded; `warnings` are one per line.
  struct Reloaded {
    std::vector<Difference> differences;
    std::string warnings;
  };
  using Allow =
      std::function<absl::Status(const Configuration& loaded, const std::string& warnings)>;
  void Reload(Allow allow, std::function<void(absl::StatusOr<Reloaded>)> done);
  // Has a connector dialled at once, with the first of its hosts. FailedPrecondition: it is not in
  // force.
  absl::Status Redial(const std::string& connector) { return reconciler_->Redial(connector); }
  // Writes of what was made over the API to the disk, since start.
  struct Writes {
    uint64_t ok = 0;
    uint64_t failed = 0;
  };
  const Writes& writes() const { return writes_; }
  // Of the configuration file when it was read last, usable or not (config::StampOfFile).
  uint64_t file_stamp() const { return file_stamp_; }

  const config::Document& file() const { return file_; }
  const config::Document& made() const { return made_; }
  const config::Document& effective() const { return in_force_.document; }
  const Configuration& in_force() const { return in_force_; }
  // Where a resource of the file stands, for people: "/etc/trunkline.yaml:12".
  std::string PlaceOf(const config::Collection& collection, const std::string& id) const;
  // Of what is at this path, "router.max_connections".
  std::string PlaceOf(const std::string& path) const;
  const std::string& warnings() const { return warnings_; }
  // 0: no profile of this name is in force.
  uint64_t TlsFingerprint(const std::string& profile) const {
    return reconciler_->TlsFingerprint(profile);
  }

  // The router's number of what is in force of a profile (reconcile/reconciler.h).
  uint64_t TlsRevision(const std::string& profile) const {
    return reconciler_->TlsRevision(profile);
  }

  // Looks whether users have changed on the disk, and lets what has changed count, once the changes
  // before it are done. Problems are told once.
  void FollowUsers();

 private:
  // All that a commit needs.
  struct Plan {
    config::Document file;
    config::Positions positions;
    config::Document made;
    Secret state;  // `made`, to be kept; empty where nothing is
    Configuration configuration;
    Missing missing;
    std::vector<Difference> differences;
  };

  Store(Options options, Hooks hooks);
  // A change in line: `run` in its turn, or `refuse` if that does not come.
  struct Waiting {
    std::function<void()> run;
    std::function<void(const absl::Status& why)> refuse;
  };
  void Add(Waiting change);
  void Next();
  void EndWrite();
  // A look at the disk. What it finds would be undone by a change that is being persisted and was
  // loaded before, so it stands in line with the changes; once, however often it is asked for.
  struct Look {
    void (Store::*look)();
    bool waits = false;
  };
  void InTurn(Look& look);
  void LookAtUsers();
  void LookAtTls();
  void Enqueue(Waiting change);
  void Run(const Change& change, How how, Done done);
  absl::Status CheckDates(const Plan& plan) const;
  void Persist(std::shared_ptr<Plan> plan, Done done);
  absl::StatusOr<Plan> MakePlan(config::Document file, config::Positions positions,
                                config::Document made) const;
  absl::StatusOr<Reloaded> ReloadNow(const Allow& allow);
  reconcile::Resources ToPrepare(const Configuration& next) const;
  void Commit(Plan plan);

  // --- rotate.cc
  void RunRotation(const Rotation& rotation, Mode mode, const RotationDone& done);
  absl::StatusOr<certs::Profile> LoadNext(const Rotation& rotation) const;
  void Keep(const Rotation& rotation, Mode mode, const RotationDone& done);
  absl::Status SetProfile(const std::string& id, certs::Profile profile);
  certs::Profile InForce(const std::string& profile) const;
  bool FollowProfile(const std::string& id, const v1::TlsProfileSpec& spec);
  bool Refuse(const std::string& id, const absl::Status& why);
  std::vector<std::string> RetryNow();
  void PutInForce();
  void LogFailures(const std::map<std::string, absl::Status>& told) const;

  const Options options_;
  const Hooks hooks_;
  std::unique_ptr<StateDir> state_;
  std::unique_ptr<reconcile::Reconciler> reconciler_;
  Changed changed_;
  Refused refused_ = [](const std::string&, const absl::Status&) {};
  RouterChanged router_changed_ = [](v1::Source) {};

  config::Document file_;
  uint64_t file_stamp_ = 0;
  config::Positions positions_;
  config::Document made_;
  Configuration in_force_;
  std::string warnings_;
  std::map<std::string, absl::Status> failures_;
  Missing missing_;                                    // of those: what could not be loaded
  std::map<std::string, std::string> users_troubles_;  // stores that cannot be read, and why
  // TLS profiles whose files are not what is in force, and why.
  struct TlsTroubles {
    absl::Status why;
    int looks = 0;  // in a row at which they were bad
  };
  std::map<std::string, TlsTroubles> tls_troubles_;
  std::map<std::string, uint64_t> tls_refused_;

  Writes writes_;
  std::deque<Waiting> pending_;
  // A change that is being persisted, and how that went once it is known.
  struct Write {
    std::future<absl::Status> status;
    std::function<void(const absl::Status& status)> end;
  };
  std::optional<Write> write_;
  bool stopped_ = false;
  Look users_look_{&Store::LookAtUsers};
  Look tls_look_{&Store::LookAtTls};
};

}  // namespace trunkline::store
