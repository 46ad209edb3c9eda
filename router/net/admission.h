#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "router/base/counter.h"

namespace boost::asio {
class io_context;
}

namespace trunkline::net {

// How many sockets there may be, and what is done about those that are too many: they are closed at
// once, counted, and logged once per second at most. Descriptors that connections do not get are
// left for what keeps the process going: files, resolver, control.
//
// Raises the process's soft limit of descriptors to the hard one. Owned by the Pilot. Thread: the
// pilot's; refused() is for anyone.
class Admission {
 public:
  explicit Admission(boost::asio::io_context& io);
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // 95 % of the descriptors, less those that the process itself needs.
  uint64_t sockets_max() const { return sockets_max_; }
  // One was closed. `peer` may be empty when it was not even looked at.
  void Refuse(const std::string& peer, const std::string& why);
  uint64_t refused() const { return refused_.Get(); }

 private:
  struct Quiet;

  uint64_t sockets_max_;
  Counter refused_;
  std::shared_ptr<Quiet> quiet_;  // shared with nobody: its timer holds a weak pointer
};

// Of `descriptors` that a process may have, those for connections.
uint64_t SocketsFor(uint64_t descriptors);

}  // namespace trunkline::net
