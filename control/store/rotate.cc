#include <utility>

#include "control/certs/files.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "control/store/store.h"
#include "router/base/log.h"
#include "router/base/status.h"

// How certificates are replaced: because somebody says so, or because their files have changed.
namespace trunkline::store {
namespace {

constexpr LogModule kLogModule = LogModule::kControl;

// Files of a profile are replaced one after the other, so what is bad for a moment is no trouble.
// Looked at every two seconds.
constexpr int kPatientLooks = 3;

using config::Concat;
using config::View;

std::string PathOf(const std::string& id) { return Concat("tls_profiles[", id, "]"); }

}  // namespace

void Store::Rotate(Rotation rotation, Mode mode, RotationDone done) {
  auto run = [this, rotation = std::move(rotation), mode, done] {
    RunRotation(
        rotation, mode, [this, id = rotation.profile, mode, done](absl::StatusOr<Rotated> rotated) {
          const bool is_known = in_force_.document.tls_profiles.contains(id);
          // A disk that refuses says nothing of the certificate.
          const bool is_bad =
              absl::IsInvalidArgument(rotated.status()) || !tls::FaultOf(rotated.status()).empty();
          if (is_bad && mode == Mode::kApply && is_known) {
            ++tls_refused_[id];
            refused_(id, rotated.status());
          }
          done(std::move(rotated));
        });
  };
  Enqueue({.run = std::move(run), .refuse = done});
}

void Store::RunRotation(const Rotation& rotation, Mode mode, const RotationDone& done) {
  const std::string& id = rotation.profile;
  absl::StatusOr<certs::Profile> next = LoadNext(rotation);
  if (!next.ok()) return done(next.status());
  const bool was_given = made_.inline_certificates.contains(id);
  if (rotation.given != nullptr || was_given) return Keep(rotation, mode, done);
  const certs::Profile last = InForce(id);
  if (mode == Mode::kApply) {
    const bool is_missing = !in_force_.profiles.contains(id);
    const absl::Status status = SetProfile(id, *next);
    const bool is_in_force = status.ok() || absl::IsDeadlineExceeded(status);
    if (is_in_force && is_missing) RetryNow();  // others may have waited for it
    if (is_in_force) changed_({});
    if (!status.ok()) return done(status);
  }
  done(Rotated{.last = last, .next = *std::move(next), .persisted = state_ != nullptr});
}

// Everything about it that can be found out without touching anything.
absl::StatusOr<certs::Profile> Store::LoadNext(const Rotation& rotation) const {
  const std::string& id = rotation.profile;
  const auto found = in_force_.document.tls_profiles.find(id);
  if (found == in_force_.document.tls_profiles.end()) {
    return absl::NotFoundError(Concat("there is no TLS profile ", config::Quote(id)));
  }
  const v1::TlsProfileSpec& spec = found->second.spec();
  if (rotation.given != nullptr && !made_.tls_profiles.contains(id)) {
    const std::string place =
        spec.certificate_file().empty() ? "the configuration file" : spec.certificate_file();
    return config::WithReason(
        absl::FailedPreconditionError(Concat("TLS profile ", config::Quote(id), " is read from ",
                                             place, "; replace the files there, they are watched")),
        "READ_ONLY_SOURCE",
        {{"resource_name", config::ResourceName(config::kTlsProfiles, id)},
         {"place", spec.certificate_file()}});
  }
  TL_ASSIGN_OR_RETURN(certs::Profile next,
                      certs::LoadProfile(spec, {.now = hooks_.now() / 1000,
                                                .given = rotation.given.get(),
                                                .for_api = IsOfApi(in_force_.document, id)}));
  if (!MayCount(id, next) && !rotation.allow_expired) return next.dates;
  return next;
}

// What is given, or is not any more, is part of what is kept on the disk.
void Store::Keep(const Rotation& rotation, Mode mode, const RotationDone& done) {
  const std::string id = rotation.profile;
  config::Document made = made_;
  if (rotation.given != nullptr) {
    made.inline_certificates[id] = rotation.given;
  } else {
    made.inline_certificates.erase(id);
  }
  absl::StatusOr<Plan> plan = MakePlan(file_, positions_, std::move(made));
  if (!plan.ok()) return done(plan.status());
  const auto next = plan->configuration.profiles.find(id);
  if (next == plan->configuration.profiles.end()) {
    return done(absl::UnavailableError("its files have changed meanwhile"));
  }
  Rotated rotated = {InForce(id), next->second, state_ != nullptr};
  if (mode == Mode::kValidate) return done(std::move(rotated));
  Persist(std::make_shared<Plan>(*std::move(plan)),
          [this, id, done, rotated = std::move(rotated)](const absl::StatusOr<Outcome>& outcome) {
            if (!outcome.ok()) return done(outcome.status());
            const auto failed = failures_.find(PathOf(id));
            if (failed != failures_.end()) return done(failed->second);
            done(rotated);
          });
}

// Empty: its files could not be read so far.
certs::Profile Store::InForce(const std::string& profile) const {
  const auto found = in_force_.profiles.find(profile);
  return found == in_force_.profiles.end() ? certs::Profile() : found->second;
}

bool Store::MayCount(const std::string& profile, const certs::Profile& next) const {
  return next.dates.ok() || InForce(profile).leaf.sha256 == next.leaf.sha256;
}

absl::Status Store::SetProfile(const std::string& id, certs::Profile profile) {
  absl::Status status = reconciler_->SetTls(id, profile);
  // The laggard takes it up all the same.
  if (status.ok() || absl::IsDeadlineExceeded(status)) {
    in_force_.profiles[id] = std::move(profile);
    tls_troubles_.erase(id);
  }
  return status;
}

void Store::FollowTls() { InTurn(tls_look_); }

void Store::LookAtTls() {
  const auto is_gone = [this](const auto& one) {
    return !in_force_.document.tls_profiles.contains(one.first);
  };
  std::erase_if(tls_troubles_, is_gone);
  std::erase_if(tls_refused_, is_gone);
  bool changed = false;
  for (const auto& [id, profile] : in_force_.document.tls_profiles) {
    changed |= FollowProfile(id, profile.spec());
  }
  if (changed) changed_({});
}

// True: there is something to tell.
bool Store::FollowProfile(const std::string& id, const v1::TlsProfileSpec& spec) {
  const auto found = in_force_.profiles.find(id);
  if (found == in_force_.profiles.end()) return false;  // Retry looks at it
  certs::Profile& known = found->second;
  const uint64_t stamp = certs::StampOf(spec);
  if (stamp == known.stamp) {
    const auto trouble = tls_troubles_.find(id);
    if (trouble == tls_troubles_.end()) return false;
    const bool was_told = trouble->second.looks >= kPatientLooks;
    tls_troubles_.erase(trouble);
    return was_told;
  }
  absl::StatusOr<certs::Profile> next =
      certs::LoadProfile(spec, {.now = hooks_.now() / 1000,
                                .given = config::InlineOf(in_force_.document, id),
                                .for_api = IsOfApi(in_force_.document, id)});
  if (!next.ok()) return Refuse(id, next.status());
  if (next->fingerprint == known.fingerprint) {
    known.stamp = next->stamp;
    return tls_troubles_.erase(id) > 0;
  }
  if (!MayCount(id, *next)) return Refuse(id, next->dates);
  if (absl::Status status = SetProfile(id, *std::move(next)); !status.ok()) {
    TL_LOG(error, "a certificate is not in force everywhere yet", {"tls_profile", id},
           {"error", View(status.message())});
  }
  return true;
}

bool Store::Refuse(const std::string& id, const absl::Status& why) {
  TlsTroubles& trouble = tls_troubles_[id];
  trouble.why = why;
  if (trouble.looks >= kPatientLooks || ++trouble.looks < kPatientLooks) return false;
  ++tls_refused_[id];
  refused_(id, why);
  TL_LOG(error, "certificate not read again: the one read last stays in force", {"tls_profile", id},
         {"error", View(why.message())});
  return true;
}

absl::Status Store::TlsTrouble(const std::string& profile) const {
  const auto found = tls_troubles_.find(profile);
  const bool is_told = found != tls_troubles_.end() && found->second.looks >= kPatientLooks;
  return is_told ? found->second.why : absl::OkStatus();
}

uint64_t Store::TlsRefused(const std::string& profile) const {
  const auto found = tls_refused_.find(profile);
  return found == tls_refused_.end() ? 0 : found->second;
}

}  // namespace trunkline::store
