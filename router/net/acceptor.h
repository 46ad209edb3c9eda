#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "router/net/descriptor.h"
#include "router/net/listen.h"

namespace boost::asio {
class io_context;
}

namespace trunkline::net {

// Takes in what arrives on the sockets of one listener, in batches, so that a burst of connections
// costs one wake-up per batch, and a flood at one socket leaves the others their turn: none is
// looked at twice before all that are ready were. Knows nothing about specs: they may change while
// it goes on.
//
// When the process is out of descriptors it gives up one that it keeps for that purpose, to take
// and close what waits: the peers hear at once that nobody serves them.
//
// Owned by the Pilot. Thread: the pilot's.
class Acceptor {
 public:
  // A connected, non-blocking stream.
  using Accepted = std::function<void(Descriptor fd, const sockaddr_storage& peer)>;
  // One had to be closed at once, for want of descriptors.
  using Refused = std::function<void()>;
  struct Hooks {
    Accepted accepted;
    Refused refused;
  };

  Acceptor(boost::asio::io_context& io, std::vector<Bound> bound, Hooks hooks);
  // Closes the sockets; the hooks are not called again.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with nobody: what is in flight holds weak pointers
};

}  // namespace trunkline::net
