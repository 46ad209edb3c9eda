#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "router/observe.h"
#include "router/specs.h"

namespace trunkline::tls {
class Context;
}

namespace trunkline {

// The data plane, seen by control: takes specs, gives events. Owns the pilot and the workers.
//
// Thread: one, the control thread's, for every method. Destruction stops and joins all threads.
class Router {
 public:
  // Called on the pilot's thread after events were queued; must only wake the control thread.
  using Wake = std::function<void()>;

  static absl::StatusOr<std::unique_ptr<Router>> Start(const RouterSpec& spec, Wake wake);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Each returns when the change is in force or has failed; a failure leaves everything as it was.
  // FailedPrecondition: cannot bind. NotFound: unknown TLS profile. AlreadyExists: a name or a
  // pattern is taken.
  absl::Status Apply(const ListenerSpec& spec);
  absl::Status Apply(const ConnectorSpec& spec);
  absl::Status Apply(const std::vector<AddressSpec>& addresses);  // replaces all
  absl::Status RemoveListener(const std::string& name);
  absl::Status RemoveConnector(const std::string& name);
  // New handshakes use `context` from the return of this call on; live connections keep theirs.
  absl::Status SetTls(const std::string& profile, std::shared_ptr<const tls::Context> context);

  std::vector<RouterEvent> TakeEvents();
  RouterCounters Counters() const;

  // Stops accepting and dialling, gives no more credit, lets unsettled deliveries finish for at
  // most `limit`, then closes every connection with amqp:connection:forced and reports Drained.
  void Drain(Duration limit);
  // Closes everything at once.
  void Stop();

 private:
  Router();
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline
