#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/api/call.h"
#include "control/api/method_table.h"

namespace trunkline::api {

// The gRPC server: one unix socket and, where it is configured, TCP with TLS and client
// certificates. Takes every method of a MethodTable by one generic service, so that a service is a
// map of handlers and no code is generated for it; serves health, reflection (v1 and v1alpha) and,
// over the socket, channelz.
//
// What happens to a call: on a thread of gRPC it is authenticated, authorized (authorize.h) and
// parsed; then it is posted to control, which finds its handler. An unknown method, or one without
// a handler, is UNIMPLEMENTED; too many calls at a time are RESOURCE_EXHAUSTED.
//
// The only file that knows gRPC is server.cc (and what it is made of). Thread: control.
class Server {
 public:
  struct Options {
    std::string socket_path;   // empty: no socket. Made with mode 0660, never wider for a moment
    std::string socket_group;  // empty: the process's
    // TCP: see ControlSpec in proto/trunkline/control/v1/router.proto. Empty host: none.
    std::string host;
    uint16_t port = 0;
    int calls_max = 1024;     // under way, of all callers; streams not counted
    int streams_max = 4096;   // likewise
  };
  struct Hooks {
    // Runs a function on the control thread, in order; false: control has ended. Any thread.
    std::function<bool(std::function<void()>)> post;
    // One line for each call that mutates, when it has ended. Thread: control.
    std::function<void(const Call& call, const absl::Status& status)> audit;
  };

  // FailedPrecondition: the socket or port cannot be had.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Options options, Hooks hooks,
                                                       const MethodTable& methods,
                                                       std::map<std::string, Handler> handlers);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // What health says of every service. Before a drain: false.
  void SetServing(bool serving);
  // No new calls; those under way are given so long, then cut off. Waits for gRPC's threads.
  void Stop(int64_t milliseconds);

 private:
  Server();
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::api
