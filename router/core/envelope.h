#pragma once

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "router/amqp/types.h"
#include "router/base/parcel.h"
#include "router/base/time.h"
#include "router/core/ids.h"
#include "router/core/sink.h"

namespace trunkline::core {

// Mail to a shard. From another shard it comes in the order it was written in; between mail of
// different shards there is no order, and any delay must be right.
//
// A delivery that crosses has its producer's half in the shard it came to (ingress) and its copies
// in the shard of the consumers (egress). Both name it by the ingress' handle, and by whether
// router annotations are cut off for those consumers, as a multicast may cross once in either form.

// Sender of what the pilot says.
inline constexpr ShardId kFromPilot = UINT16_MAX;

// From the pilot: the View that makes a consumer reachable is in the worker's slot, so its attach
// may be answered.
struct LinkReady {
  Handle<OutLink> link;
};
// From the pilot: detach this link, or refuse its attach if that is not answered: the settings make
// its address unavailable.
struct LinkRefused {
  Handle<OutLink> link;
  amqp::Condition error;
};

// Ingress to egress: a delivery for a consumer or, of a multicast, for some.
struct Deliver {
  Handle<InDelivery> in;
  Handle<OutLink> to;
  std::unique_ptr<std::vector<Handle<OutLink>>> also_to;  // of a multicast; null: only `to`
  Parcel payload;
  uint64_t received = 0;  // bytes of input up to here, as the ingress counts them
  Time arrived;           // its first frame
  uint32_t message_format = 0;
  bool strip = false;
  bool presettled = false;
  bool complete = false;
  bool multicast = false;
  bool counted = false;  // in LinkLoad::mailed
  // Its session window is getting tight: say at once when all of it is passed on, even if it is
  // little and its outcome is not known.
  bool eager = false;
};
// More of its input, up to the end (complete) or the producer's giving up (aborted). Or (lose): the
// producer's link holds too much, so copies that still wait, as said by Answer::waiting, are lost.
struct More {
  Handle<InDelivery> in;
  Parcel payload;
  bool strip = false;
  bool complete = false;
  bool aborted = false;
  bool lose = false;
};
// The producer's word on it: its settlement, or a `received` state.
struct ProducerSays {
  Handle<InDelivery> in;
  amqp::Outcome outcome;
  bool strip = false;
  bool settled = false;
};

// Egress to ingress: what became of what crossed. `waiting`: it has to wait for a delivery before
// it that is still arriving, perhaps over the same connection. `done`: nothing of it is left there.
struct Answer {
  Handle<InDelivery> in;
  uint64_t passed = 0;  // bytes of input that no consumer there needs any more; 0: not said
  amqp::Outcome outcome;
  bool strip = false;
  bool has_outcome = false;
  bool settled = false;
  bool waiting = false;
  bool done = false;
};
// Egress to ingress: a delivery whose consumer is gone, or more of it. Nothing of it was taken.
// Only what goes to one consumer bounces; a multicast goes to those that are there, but more of one
// that nobody was there for comes back as well.
struct Bounced {
  Handle<InDelivery> in;
  Parcel payload;
};

// Ingress to egress: comes back as FenceAck, behind all bounces of what was sent before it.
struct Fence {
  Handle<InLink> link;
  uint64_t number = 0;  // counts all fences of the ingress
};
struct FenceAck {
  Handle<InLink> link;
  uint64_t number = 0;
};

// References of blocks that belong to the receiver.
struct Returns {
  std::vector<BlockReturn> blocks;
};

using Envelope = std::variant<std::monostate, LinkReady, LinkRefused, Deliver, More, ProducerSays,
                              Answer, Bounced, Fence, FenceAck, Returns>;

}  // namespace trunkline::core
