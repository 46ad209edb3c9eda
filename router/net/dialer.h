#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "router/net/connection_plan.h"
#include "router/net/descriptor.h"
#include "router/observe.h"
#include "router/specs.h"

namespace boost::asio {
class io_context;
}

namespace trunkline::net {

// Keeps one connection of one connector up: resolves, connects, hands the stream on, and begins
// again, by the schedule, when the attempt failed or the connection is gone.
//
// Owned by the Pilot. Thread: the pilot's.
class Dialer {
 public:
  // A connected, non-blocking stream. Returns the id of the connection made of it.
  using Connected = std::function<uint64_t(
      Descriptor fd, std::shared_ptr<const ConnectionPlan> plan, std::string peer)>;
  using Failed = std::function<void(ConnectorFailed failure)>;
  struct Hooks {
    Connected connected;
    Failed failed;
  };

  // Dials at once.
  Dialer(boost::asio::io_context& io, ConnectorSpec spec, Hooks hooks);
  // Ends an attempt under way; the hooks are not called again. A connection is its worker's.
  ~Dialer();
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

  const ConnectorSpec& spec() const;
  // The connection that came of the last attempt; 0: none.
  uint64_t connection() const;
  // That connection is gone.
  void Gone(const ConnectionDown& down);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with what is in flight, and does nothing more for it
};

}  // namespace trunkline::net
