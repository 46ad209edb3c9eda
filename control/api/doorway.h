#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace trunkline::api {

// Listens on TCP for gRPC, and hands connections over when their first byte is there: gRPC chooses
// the certificate of a connection when it gets it, and so nobody who begins a handshake after a
// rotation meets the old one. A connection that says nothing ends after kFirstByteMilliseconds; so
// many may wait, later ones are closed at once.
//
// Owned by the Server. Has a thread of its own, which only waits and hands over.
class Doorway {
 public:
  static constexpr int kFirstByteMilliseconds = 10'000;
  static constexpr size_t kWaitingMax = 256;

  // Takes over the descriptor of a connection. Called on the doorway's thread.
  using Enter = std::function<void(int fd)>;

  // `host` is an address or a name; empty: all addresses, of IPv6 and IPv4. FailedPrecondition: why
  // it cannot listen there.
  static absl::StatusOr<std::unique_ptr<Doorway>> Open(const std::string& host, uint16_t port);
  ~Doorway();  // closes what waits
  Doorway(const Doorway&) = delete;
  Doorway& operator=(const Doorway&) = delete;

  // Connections are taken from here on. Once.
  void Start(Enter enter);
  // None are taken any more; `enter` has been called for the last time.
  void Stop();

  uint16_t port() const { return port_; }

 private:
  Doorway() = default;
  class Impl;
  std::unique_ptr<Impl> impl_;
  uint16_t port_ = 0;
};

}  // namespace trunkline::api
