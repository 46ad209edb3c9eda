#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "control/api/call.h"
#include "control/api/desk.h"
#include "control/api/observing.h"
#include "control/config/document.h"
#include "proto/trunkline/control/v1/connection_service.pb.h"
#include "proto/trunkline/control/v1/tls_service.pb.h"

namespace trunkline::api {

// TLS of a connection as the API tells it. `active_revision` is what handshakes of its profile use;
// 0: there is no such profile. REQUIRES: connection.has_tls(). Pure.
v1::TlsSession TlsSessionOf(const v1::Connection& connection, uint64_t active_revision);

// Answers TlsService.ListTlsSessions: asks the router for its connections, and tells those with
// TLS.
//
// Owned by the daemon. Thread: control.
class TlsSessions {
 public:
  // Both are called on control.
  struct Hooks {
    // What is configured.
    std::function<const config::Document&()> document;
    // As Store::TlsRevision.
    std::function<uint64_t(const std::string& profile)> revision;
  };

  // Both outlive us.
  TlsSessions(Observing& observing, const WallClock& wall, Hooks hooks);
  TlsSessions(const TlsSessions&) = delete;
  TlsSessions& operator=(const TlsSessions&) = delete;

  Handlers MakeHandlers();

 private:
  void List(const std::shared_ptr<Call>& call);
  // The id of the profile that is meant; empty: all are.
  absl::StatusOr<std::string> ProfileOf(const std::string& parent) const;

  Observing& observing_;
  const WallClock& wall_;
  const Hooks hooks_;
};

}  // namespace trunkline::api
