#pragma once

#include <atomic>
#include <cstdint>

#include "router/base/counter.h"

namespace trunkline::core {

// A level that goes up and down. One writer; any thread may read.
class Gauge {
 public:
  void Add(int64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  int64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// What one shard has done since start, and what it holds. Written by the shard, read by anyone.
struct ShardStats {
  Counter deliveries_in;        // begun by producers
  Counter deliveries_out;       // begun towards consumers: one per copy
  Counter presettled;           // of deliveries_in
  Counter dropped_presettled;   // copies that no consumer got: no destination, overflow, loss
  Counter accepted;             // outcomes of unsettled deliveries, as their producers saw them
  Counter rejected;             //
  Counter released;             //
  Counter modified;             //
  Counter redirected_fallback;  // deliveries that went to a fallback address
  Gauge links_in;               // attached
  Gauge links_out;              //
  Gauge undelivered;            // copies waiting in the queues of outgoing links
  Gauge unsettled;              // copies sent and not settled
};

}  // namespace trunkline::core
