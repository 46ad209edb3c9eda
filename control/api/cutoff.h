#pragma once

#include <cstddef>
#include <thread>
#include <vector>

namespace trunkline::api {

// The descriptors of this process that are connections which came in by the socket `listener`,
// whoever has them. Looks at all descriptors. Any thread.
std::vector<int> ConnectionsBy(int listener);
// How many descriptors it may have; 0: who knows.
size_t DescriptorsMax();

// While this is there: when its time has come, it cuts the connections that came in by a listener.
// gRPC does not end a connection whose peer does not read what was written before, and waits for
// that for ever.
//
// Owned by the Server while it stops. Has a thread of its own, which only waits and cuts.
class Cutoff {
 public:
  // `listener` is the descriptor of a socket, and outlives us.
  Cutoff(int listener, int milliseconds);
  ~Cutoff();  // cuts no more
  Cutoff(const Cutoff&) = delete;
  Cutoff& operator=(const Cutoff&) = delete;

 private:
  void Run(int milliseconds) const;

  const int listener_;
  const int over_;  // eventfd
  std::thread thread_;
};

}  // namespace trunkline::api
