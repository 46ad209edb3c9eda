#include <algorithm>

#include "control/config/collection.h"
#include "control/daemon/daemon.h"
#include "router/base/log.h"

// What the daemon looks at from time to time. Files are only looked at, unless something has
// changed.
namespace trunkline::daemon {
namespace {

constexpr LogModule kLogModule = LogModule::kDaemon;

// How soon a changed user store or certificate is noticed.
constexpr Duration kUsersInterval = config::FileWatch::kInterval;

// What is not in force is tried again after the first, then after twice as long each time.
constexpr Duration kRetryFirst = Seconds(1);
constexpr Duration kRetryLast = Seconds(60);

}  // namespace

void Daemon::Follow(Time now) {
  FollowUsers(now);
  FollowFile(now);
  FollowFailures(now);
  if (now >= memory_trim_.due()) memory_trim_.Look(now, router_->Counters().bytes_read);
}

// A place that is taken, a file that is missing: what was made over the API waits for it.
void Daemon::FollowFailures(Time now) {
  if (store_->failures().empty() || draining_) {
    retry_due_ = kNever;
    retry_wait_ = kRetryFirst;
    return;
  }
  if (retry_due_ == kNever) retry_due_ = now + retry_wait_;
  if (now < retry_due_) return;
  retry_wait_ = std::min(retry_wait_ * 2, kRetryLast);
  retry_due_ = now + retry_wait_;
  store_->Retry([this](const std::vector<std::string>& paths) {
    TakeEvents();
    TellCertificates();
    for (const std::string& path : paths) resource_api_->StatusChanged(config::NameOfPath(path));
  });
}

void Daemon::FollowUsers(Time now) {
  const config::Document& document = store_->effective();
  const bool has_any = !document.user_stores.empty() || !document.tls_profiles.empty();
  if (!has_any || shutdown_.draining()) {
    users_due_ = kNever;
    return;
  }
  if (users_due_ == kNever) users_due_ = now + kUsersInterval;
  if (now < users_due_) return;
  users_due_ = now + kUsersInterval;
  store_->FollowUsers();
  store_->FollowTls();
}

// So much has happened that the board was not told all of it. Where the router has no room for one
// look more, the answers of those before it wake us.
void Daemon::FollowLosses() {
  if (resource_api_ != nullptr) {
    for (const std::string& connector : board_.TakeCorrected()) {
      resource_api_->StatusChanged(config::ResourceName(config::kConnectors, connector));
    }
  }
  if (!board_.WantsLook()) return;
  const absl::StatusOr<uint64_t> look = router_->Observe({.connections = true});
  if (!look.ok()) return;
  board_.Looking(*look);
  TL_LOG(warning, "events were lost: looking at the router's connections", {"look", *look});
}

void Daemon::FollowFile(Time now) {
  if (now < file_watch_.due()) return;
  const v1::RouterSpec& router = store_->effective().router;
  if (file_.empty() || draining_ || (router.has_watch_config() && !router.watch_config())) {
    return file_watch_.Pause();
  }
  // A reload that waits for a change before it reads what is there by then.
  const uint64_t stamp = reloading_ ? store_->file_stamp() : config::StampOfFile(file_);
  if (!file_watch_.Look(stamp, store_->file_stamp(), now)) return;
  TL_LOG(info, "the configuration file has changed", {"file", file_});
  Reload();
}

}  // namespace trunkline::daemon
