#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "control/api/desk.h"
#include "control/api/events.h"
#include "control/api/log_feed.h"
#include "control/api/log_levels.h"
#include "control/api/log_watches.h"
#include "control/api/trace_streams.h"
#include "control/store/store.h"
#include "router/base/random.h"
#include "router/base/time.h"
#include "router/observe.h"
#include "router/router.h"
#include "router/tls/bundle.h"

namespace trunkline::daemon {

// What the API tells of what goes on in the router.
//
// Owned by the Daemon; all that it is given outlives it. Thread: control.
class TraceApi {
 public:
  TraceApi(Random& random, std::function<Time()> clock, api::LogFeed& logs);
  TraceApi(const TraceApi&) = delete;
  TraceApi& operator=(const TraceApi&) = delete;

  // Both outlive the calls.
  api::Handlers MakeHandlers(Router& router, const store::Store& store);

  // --- what has happened
  api::Events& events() { return events_; }
  void OnEvent(const RouterEvent& event);
  void OnChanged(const std::vector<store::Difference>& differences);
  void OnRouterChanged(const v1::Router& router, v1::Source source);
  void OnReloaded(const std::string& file, size_t changed);
  void OnReloadFailed(const std::string& file, const absl::Status& status);
  void OnDraining(Duration limit);
  // The certificate of a TLS profile that is in force from here on.
  void OnCertificate(const std::string& profile, const tls::CertificateInfo& leaf);
  // One that it should have had instead is bad.
  void OnCertificateRefused(const std::string& profile, const absl::Status& why);

  // --- the log
  // Levels were put in force as the configuration has them.
  void OnLevelsConfigured() { log_levels_.OnConfigured(); }

  // Control was woken, maybe for what is told here.
  void OnWoken();
  void OnTime(Time now);
  Time due() const { return std::min(events_.due(), log_levels_.due()); }

 private:
  // Of connections that fail, as many as a hostile crowd makes would push out all else.
  static constexpr uint32_t kFailuresPerSecond = 100;

  void Tell(api::Events::Happening happening);

  api::Events events_;
  api::LogLevels log_levels_;
  api::LogWatches log_watches_;
  const std::function<Time()> clock_;
  Time failures_since_;    // when the second began
  uint32_t failures_ = 0;  // in it
  uint64_t failures_not_told_ = 0;
  std::unique_ptr<api::TraceStreams> streams_;
  std::map<std::string, std::string> certificates_;  // in force, by profile: their fingerprints
};

}  // namespace trunkline::daemon
