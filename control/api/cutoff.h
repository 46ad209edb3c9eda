#pragma once

#include <thread>

#include "control/api/descriptors.h"

namespace trunkline::api {

// While this is there: when its time has come, it cuts the connections that came in by a listener.
// gRPC does not end a connection whose peer does not read what was written before, and waits for
// that for ever.
//
// Owned by the Server while it stops. Has a thread of its own, which only waits and cuts.
class Cutoff {
 public:
  // `descriptors`, which nobody else may use meanwhile, and the socket `listener` outlive us.
  Cutoff(const Descriptors& descriptors, int listener, int milliseconds);
  ~Cutoff();  // cuts no more
  Cutoff(const Cutoff&) = delete;
  Cutoff& operator=(const Cutoff&) = delete;

 private:
  void Run(int milliseconds) const;

  const Descriptors& descriptors_;
  const int listener_;
  const int over_;  // eventfd
  std::thread thread_;
};

}  // namespace trunkline::api
