#pragma once

#include <cstdint>
#include <map>

#include "absl/status/status.h"
#include "control/api/method_table.h"
#include "router/base/histogram.h"
#include "router/base/time.h"

namespace trunkline::api {

// What became of the calls that were let in, by method. A method that was never called is not in
// it, so there are as many as the API has at most.
//
// Thread: control.
class Tally {
 public:
  // Nanoseconds, from 1 ms to 10 s.
  using Durations = Histogram<Scale<1'000'000, 5'000'000, 20'000'000, 100'000'000, 500'000'000,
                                    2'000'000'000, 10'000'000'000>>;
  struct Calls {
    uint64_t open = 0;  // now
    std::map<absl::StatusCode, uint64_t> ended;
    Durations durations;  // of calls with one answer
  };

  // `method` outlives us.
  void Began(const Method& method) { ++calls_[&method].open; }
  // After Began.
  void Ended(const Method& method, absl::StatusCode code, Duration took) {
    Calls& calls = calls_[&method];
    --calls.open;
    ++calls.ended[code];
    if (!method.streams) calls.durations.Note(took.ns > 0 ? static_cast<uint64_t>(took.ns) : 0);
  }

  // In the order of the methods' table.
  const std::map<const Method*, Calls>& calls() const { return calls_; }

 private:
  std::map<const Method*, Calls> calls_;
};

}  // namespace trunkline::api
