#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "router/net/publisher.h"

namespace boost::asio {
class io_context;
}

namespace trunkline::net {

// Requests that are done when every worker goes by a View, or does not for two seconds.
//
// Owned by the Pilot. Thread: the pilot's.
class Barriers {
 public:
  using Done = std::function<void(absl::Status)>;

  // Both outlive us.
  Barriers(boost::asio::io_context& io, const Publisher& publisher);
  ~Barriers();
  Barriers(const Barriers&) = delete;
  Barriers& operator=(const Barriers&) = delete;

  // `done` is told when `version` or a newer one is in force; DeadlineExceeded: who does not take
  // it up.
  void Await(uint64_t version, Done done);
  // A worker may have taken one up.
  void Check();

 private:
  struct Barrier;

  boost::asio::io_context& io_;
  const Publisher& publisher_;
  std::vector<Barrier> waiting_;
};

}  // namespace trunkline::net
