#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/api/authorize.h"
#include "control/api/desk.h"
#include "control/api/gate.h"
#include "control/api/method_table.h"
#include "router/base/secret.h"
#include "router/base/time.h"

namespace trunkline::api {

// What the TCP port shows, and whose certificates it takes. PEM; the key is not encrypted, belongs
// to the certificate, and none of the three is empty (tls::Check, certs::LoadProfile): gRPC ends
// the process where it is not so.
struct ServerCertificate {
  std::string chain_pem;
  Secret private_key;
  std::string ca_pem;
};

// The gRPC server: one unix socket and, where it is configured, TCP with TLS and client
// certificates. Takes every method of a MethodTable by one generic service, so that a service is a
// map of handlers and no code is generated for it; serves health and reflection (v1 and v1alpha).
//
// What happens to a call: on a thread of gRPC it is authenticated, authorized (authorize.h) and
// parsed; then it is posted to control, which finds its handler. An unknown method, or one without
// a handler, is UNIMPLEMENTED; too many calls at a time are RESOURCE_EXHAUSTED.
//
// The only files that know gRPC are server.cc and what it is made of. Thread: control.
class Server {
 public:
  struct Tcp {
    std::string host;  // empty: all addresses
    uint16_t port = 0;
    ServerCertificate certificate;
  };
  struct Options {
    // The first that can be had gets the socket, with mode 0660, never wider for a moment.
    std::vector<std::string> socket_paths;
    bool socket_optional = false;  // none of them can be had: then there is no socket
    std::string socket_group;      // empty: the process's
    std::unique_ptr<Tcp> tcp;      // null: none
    Policy policy;                 // of TCP
    CallLimits limits;
    Duration call_limit = Seconds(60);  // of calls with one answer
    bool reflection = true;
    std::function<Time()> now = [] { return Time(); };  // tells how long calls take
  };

  // `wake` is called on any thread when RunPosted has something to do. `methods` outlives the
  // server. FailedPrecondition: the socket or port cannot be had; the field of `control` first.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Options options, Handlers handlers,
                                                       const MethodTable& methods,
                                                       std::function<void()> wake);
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Gives calls that came in to their handlers, and tells those under way what has happened.
  void RunPosted();

  // What health says of every service. Before a drain: false.
  void SetServing(bool serving);
  // For calls that come in from here on.
  void SetPolicy(Policy policy);
  // For handshakes whose first byte comes from here on. REQUIRES: there is TCP.
  void SetCertificate(ServerCertificate certificate);

  const std::string& socket_path() const;  // empty: there is none
  uint16_t port() const;                   // of TCP; 0: there is none

  uint64_t refused(Refused why) const;  // calls that were not let in
  const Tally& tally() const;           // those that were

  // Of the library, "1.51.1".
  static std::string GrpcVersion();

  // No new calls; those under way end with UNAVAILABLE, and their connections within `limit`. Waits
  // for gRPC's threads.
  void Stop(Duration limit);

 private:
  Server();
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::api
