#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/timestamp.pb.h"
#include "router/base/time.h"
#include "router/snapshot.h"

namespace trunkline::api {

// Asks the router what it is doing, and hands each answer to who wants it.
//
// Owned by the daemon. Thread: control. Bound: what the router takes at a time.
class Observing {
 public:
  // Router::Observe.
  using Ask = std::function<absl::StatusOr<uint64_t>(const ObserveWish& wish)>;
  using Done = std::function<void(const Snapshot& snapshot)>;

  explicit Observing(Ask ask) : ask_(std::move(ask)) {}
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;

  // Calls `done` with the answer, later. ResourceExhausted (TOO_MANY_OBSERVATIONS); then it is not
  // called.
  absl::Status Observe(const ObserveWish& wish, Done done);
  void OnObserved(const Observed& answer);

 private:
  const Ask ask_;
  std::map<uint64_t, Done> waiting_;  // by request
};

// What the monotonic clock says, as people do. The difference between the two is that of one
// moment: a time that is told twice is the same both times, whatever is done to the system's clock.
class WallClock {
 public:
  explicit WallClock(int64_t nanoseconds_ahead) : ahead_(nanoseconds_ahead) {}

  google::protobuf::Timestamp At(Time time) const;

 private:
  int64_t ahead_;
};

}  // namespace trunkline::api
