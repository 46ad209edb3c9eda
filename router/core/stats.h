#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "router/base/counter.h"
#include "router/base/histogram.h"

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

// Why a consumer did not get a pre-settled copy, of which its producer is never told.
enum class DropReason : uint8_t {
  kNoCredit,    // too many wait already
  kNoConsumer,  // or none any more
  kLinkLost,    // the consumer left while it waited
  kMaxSize,     // larger than the producer's connection may send
  kOther,       // malformed or forbidden, or it waited for an input that does not end
};
inline constexpr size_t kDropReasons = 5;

// Nanoseconds: 10 us to 1 s.
using ForwardScale = Scale<10'000, 25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000,
                           5'000'000, 10'000'000, 50'000'000, 250'000'000, 1'000'000'000>;
// Nanoseconds: 100 us to 60 s.
using WaitScale =
    Scale<100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 25'000'000,
          50'000'000, 100'000'000, 250'000'000, 500'000'000, 1'000'000'000, 2'500'000'000,
          5'000'000'000, 10'000'000'000, 30'000'000'000, 60'000'000'000>;
// Bytes: 64 to 64 Mi, by fours.
using SizeScale = Scale<64, 256, 1u << 10, 4u << 10, 16u << 10, 64u << 10, 256u << 10, 1u << 20,
                        4u << 20, 16u << 20, 64u << 20>;

// Whether the delivery with this delivery-id is in histograms that have only 1 in 16, as many as
// the time of a small message has room for. Peers count these ids up, by session.
constexpr bool IsSampled(uint32_t delivery) { return delivery % 16 == 0; }

// What one shard has done since start, and what it holds. Written by the shard, read by anyone.
// Times are those of turns, as nothing within a turn has a time of its own.
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

  std::array<Counter, kDropReasons> dropped;  // of dropped_presettled, by DropReason

  // Deliveries by producers that took longer from their first frame to their end; what took more
  // than 10 s is not in the first.
  Counter delayed_1s;
  Counter delayed_10s;
  Gauge stuck;          // deliveries by producers that the watchdog found to be older than 10 s
  Gauge links_blocked;  // as found by it: links, of both directions

  // Of complete deliveries by producers, of those that IsSampled.
  Histogram<SizeScale> message_size;
  Histogram<ForwardScale> forward_duration;  // of each copy: first frame in to first frame out
  // Of unsettled copies, of those that IsSampled: all sent to the consumer's outcome; by outcome,
  // accepted to modified.
  std::array<Histogram<WaitScale>, 4> settle_duration;
  Histogram<WaitScale> credit_wait;  // of copies that waited for credit: first frame in to credit

  void Drop(DropReason reason) {
    dropped_presettled.Add();
    dropped[static_cast<size_t>(reason)].Add();
  }
};

}  // namespace trunkline::core
