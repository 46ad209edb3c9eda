#pragma once

#include <cstdint>
#include <vector>

#include "router/amqp/types.h"
#include "router/base/payload.h"
#include "router/base/slot_map.h"
#include "router/base/time.h"
#include "router/core/ids.h"
#include "router/core/list.h"

namespace trunkline::core {

// Whether a delivery and its only copy are in different shards.
enum class Crossing : uint8_t {
  kNone,     // or it is a multicast, of which RemoteCopies say it
  kStandIn,  // the producer's half is in the shard `origin_shard`
  kAway,     // the copy is in the shard `copy.shard`
  kBounced,  // it was away; its link is held until it can be forwarded again
};

// Copies of a multicast that went to another shard in one mail, as the producer's half sees them.
struct RemoteCopies {
  ShardId shard = 0;
  bool strip = false;    // of router annotations
  bool open = true;      // some may be left
  bool decided = false;  // an outcome of them all is known
  uint64_t passed = 0;   // bytes of input that none of them needs any more
};

// The copies of a delivery that has several.
struct FanOut {
  std::vector<OutRef> local;
  std::vector<RemoteCopies> remote;
};

// The producer's half of a delivery: what has arrived, what became of its copies, what the producer
// was told. Pre-settled deliveries have one too, until their last copy is sent or dropped.
//
// Owned by the Shard of the link it came on. Ends when its input is complete and no copy is left.
// In a shard that got copies by mail, a stand-in takes its place: what would be said to the
// producer is answered to the shard of the real one.
//
// Invariant: passed <= released <= received; `link` is null once the producer's link is gone, and
// then nothing is accounted or said any more.
struct InDelivery {
  InDelivery() {}  // not defaulted: making one would clear all of it first

  static constexpr uint32_t kNoFanOut = UINT32_MAX;

  InLink* link = nullptr;
  Hook<InDelivery> of_link;
  uint32_t delivery = 0;  // the connection's name for it
  uint32_t message_format = 0;
  Time arrived;  // its first frame: in the turn of this time

  // The copies: their names, and how many are left. One copy is named here, more in the shard's
  // fan-out lists.
  OutRef copy;
  uint32_t fan_out = kNoFanOut;
  uint32_t open = 0;  // copies that live; those of one mail count as one
  // Of a multicast, and set only then: copies without a terminal outcome, copies whose consumer has
  // not settled, copies that have passed on exactly `passed`.
  uint32_t undecided;
  uint32_t unsettled;
  uint32_t slowest;

  // Bytes of input: that came, that no copy needs any more, that the session window got back.
  // (A stand-in: that the other half was told of.)
  uint64_t received = 0;
  uint64_t passed = 0;
  uint64_t released = 0;
  uint32_t assembling = 0;     // not released, not forwarded: counted in Connection::assembling
  uint32_t look_at = 0;        // bytes held from which on an incomplete prefix is looked into again
  Hook<InDelivery> of_relief;  // in Connection::assembled, if there is something `assembling`, or
                               // in Connection::waiting, if `listed`
  Payload held;                // until it is forwarded; if it may bounce, until it is answered

  // Of one that is away or a stand-in, and set only then.
  uint64_t origin;       // stand-in: the handle over there, packed
  ShardId origin_shard;  //
  bool strip;            // the consumer's connection does not want router annotations
  bool eager;            // stand-in: Deliver::eager
  bool overdue;          // away: it is not waited for, a bounce is its end

  amqp::OutcomeKind best = amqp::OutcomeKind::kNone;  // of a multicast
  Crossing crossing = Crossing::kNone;
  bool presettled = false;
  bool complete = false;         // all input has come, or will not
  bool forwarded = false;        // its copies are made, or it has ended without any
  bool multicast = false;        // outcomes are aggregated
  bool settled = false;          // one side has settled: the producer is told nothing more
  bool told = false;             // the producer knows a terminal outcome
  bool credit_returned = false;  // the credit it took was given back, or is owed
  // Bits, as to clear one byte more would cost each message.
  bool waiting : 1 = false;  // Answer::waiting; of a stand-in, that it was said
  bool listed : 1 = false;   // in Connection::waiting
  bool stuck = false;        // in ShardStats::stuck
  bool oversize = false;     // larger than the connection allows; read and thrown away
};

// The consumer's half: one copy on its way to one link.
//
// Owned by the Shard of the link it goes to; lives in that link's queue until all of it is sent,
// then, unless settled, in the link's list of unsettled ones.
struct OutDelivery {
  OutDelivery() {}  // not defaulted: making one would clear all of it first

  OutLink* link = nullptr;
  Hook<OutDelivery> of_link;
  Hook<OutDelivery> of_presettled;
  InDelivery* in = nullptr;  // what it is a copy of, and which outlives it; null: it was aborted
  Payload payload;           // what has not been sent yet
  uint32_t delivery = 0;     // the connection's name for it, once started
  uint32_t message_format = 0;
  Time sent;                      // all of it was; only of what is sent and unsettled
  bool queued = true;             // in the link's queue; else sent and unsettled
  bool started = false;           // some of it was sent
  bool complete = false;          // nothing will be added to `payload`
  bool aborted = false;           // ends with an aborted transfer
  bool presettled = false;        // ends when it is sent
  bool decided = false;           // its consumer gave a terminal outcome
  bool consumer_settled = false;  // while it was still being sent: ends when it is sent
  bool producer_settled = false;  // while it was still being sent: settled when it is sent
};

}  // namespace trunkline::core
