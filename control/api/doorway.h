#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/api/descriptors.h"

namespace trunkline::api {

// Listens for gRPC, and hands connections over when their first byte is there: gRPC chooses the
// certificate of a connection when it gets it, and so nobody who begins a handshake after a
// rotation meets the old one. A connection that says nothing ends after kFirstByteMilliseconds;
// WaitingMax() may wait, and one more ends the oldest, as who is honest speaks at once.
//
// At most ConnectionsMax() others are there at a time, later ones are closed, so that who has no
// certificate, and whom gRPC lets try for 10 s, does not take the descriptors that messages need.
// gRPC does not tell when one ends: they are counted when so many have been handed over; where
// there is no room, again after a second.
//
// It keeps descriptors in reserve, so that the API answers when the process has none left; beyond
// them callers wait. gRPC's own listener would take nobody in any more once an accept had failed.
//
// Owned by the Server. Has a thread of its own, which only waits and hands over.
class Doorway {
 public:
  static constexpr int kFirstByteMilliseconds = 10'000;
  static constexpr size_t kReserve = 4;
  // An eighth of the descriptors that the process may have, but 64 to 1,000.
  static size_t ConnectionsMax();
  // So many, but at most 256.
  static size_t WaitingMax();

  // Takes over the descriptor of a connection. Called on the doorway's thread.
  using Enter = std::function<void(int fd)>;

  // `host` is an address or a name; empty: all addresses, of IPv6 and IPv4. FailedPrecondition: why
  // it cannot listen there.
  static absl::StatusOr<std::unique_ptr<Doorway>> Open(const std::string& host, uint16_t port);
  // A unix socket at `path`, where nothing is.
  static absl::StatusOr<std::unique_ptr<Doorway>> OpenSocket(const std::string& path);
  ~Doorway();  // closes what waits
  Doorway(const Doorway&) = delete;
  Doorway& operator=(const Doorway&) = delete;

  // Connections are taken from here on. Once.
  void Start(Enter enter);
  // None are taken any more; `enter` has been called for the last time.
  void Stop();

  uint16_t port() const { return port_; }  // 0: a unix socket
  int listener() const;                    // its descriptor
  const Descriptors& descriptors() const;  // for others once it has stopped

 private:
  Doorway() = default;
  static absl::StatusOr<std::unique_ptr<Doorway>> At(int listener);
  class Impl;
  std::unique_ptr<Impl> impl_;
  uint16_t port_ = 0;
};

}  // namespace trunkline::api
