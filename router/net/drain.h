#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "router/base/time.h"
#include "router/observe.h"

namespace boost::asio {
class io_context;
}

namespace trunkline::net {

// The end of a router's work in order: waits until nothing is unsettled or the limit is reached,
// then has every connection closed, waits for their ends, and says that it is done.
//
// Producers may still have credit when it begins, and nothing tells when they are done with it: so
// "nothing is unsettled" has to hold for a while, and is looked at rather than waited for. Owned by
// the Pilot. Thread: the pilot's.
class Drain {
 public:
  struct Hooks {
    std::function<uint64_t()> unsettled;
    std::function<size_t()> connections;
    std::function<void()> close_all;
    std::function<void(Drained)> drained;
  };

  Drain(boost::asio::io_context& io, Hooks hooks, Duration limit);
  ~Drain();
  Drain(const Drain&) = delete;
  Drain& operator=(const Drain&) = delete;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with nobody: what is in flight holds weak pointers
};

}  // namespace trunkline::net
