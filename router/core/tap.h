#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "router/base/sample_queue.h"
#include "router/base/time.h"
#include "router/core/address.h"
#include "router/core/ids.h"

namespace trunkline::core {

// A message as a tap has seen it: when it was forwarded.
struct TapSample {
  Time at;  // of the turn
  LinkName from;
  std::string address;       // that it was sent to; empty: none
  std::vector<LinkName> to;  // who gets it, the first kTapTargetsMax of them
  uint32_t copies = 0;       // how many get it
  uint64_t size = 0;         // bytes of the message, as far as it has come
  uint32_t message_format = 0;
  bool complete = false;  // all of it has come
  bool settled = false;   // it was sent settled
  std::string bytes;      // the first of the message, as it came
};

inline constexpr size_t kTapTargetsMax = 32;
// Bytes of a message in which its sections are looked for; those of the body come on top.
inline constexpr uint32_t kTapHeadBytes = 8 * 1024;

struct TapOptions {
  std::string address;  // a pattern of address settings; empty: all
  uint32_t one_in = 1;  // of the messages that match, counted by each shard; at least 1
  uint32_t body_bytes = 0;
  SampleQueue<TapSample>::Options queue;  // a worker for each shard
};

// Somebody who looks at messages as they are forwarded.
//
// Shared by the View and whoever reads the samples. Thread: Wants is the shard's.
class Tap {
 public:
  // InvalidArgument: no such pattern.
  static absl::StatusOr<std::shared_ptr<Tap>> Open(TapOptions options);

  // Whether a message to `address` is to be sampled; counts it. There is room for it then.
  bool Wants(ShardId shard, std::string_view address, const LocalIdentity& me, Time now);
  uint32_t bytes_max() const { return kTapHeadBytes + options_.body_bytes; }
  uint32_t body_bytes() const { return options_.body_bytes; }
  void Push(ShardId shard, TapSample&& sample);

  SampleQueue<TapSample>& queue() { return queue_; }

 private:
  // What a shard writes for itself.
  struct alignas(64) Lane {
    uint64_t matched = 0;
    AddressKey key;  // scratch
  };

  Tap(TapOptions options, std::shared_ptr<const AddressSettings> filter);
  bool Matches(Lane& lane, std::string_view address, const LocalIdentity& me) const;

  const TapOptions options_;
  const std::shared_ptr<const AddressSettings> filter_;  // null: all
  std::vector<Lane> lanes_;                              // by shard
  SampleQueue<TapSample> queue_;
};

// All taps that are open: published with the tables. There are some.
struct TapSet {
  std::vector<std::shared_ptr<Tap>> taps;
};

}  // namespace trunkline::core
