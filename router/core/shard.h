#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "router/amqp/sections.h"
#include "router/amqp/types.h"
#include "router/base/affine.h"
#include "router/base/payload.h"
#include "router/base/random.h"
#include "router/base/slot_map.h"
#include "router/base/time.h"
#include "router/core/address.h"
#include "router/core/envelope.h"
#include "router/core/ids.h"
#include "router/core/outbox.h"
#include "router/core/route_table.h"
#include "router/core/sink.h"

namespace trunkline::core {

// What a shard has to know about a connection.
struct ConnectionInfo {
  ConnectionRole role = ConnectionRole::kNormal;
  uint32_t link_capacity = 250;  // credit per incoming link, queue mark per outgoing link
  bool strip_inbound_annotations = true;
  bool strip_outbound_annotations = true;
  uint64_t max_message_size = 0;  // 0: no limit
  std::string user;               // authenticated id; empty: anonymous
  bool allow_user_id_proxy = true;
};

// An attach as the shard sees it: the relevant terminus (target of what we receive, source of what
// we send) in plain values.
struct AttachRequest {
  LinkToken token = 0;
  std::string name;
  bool coordinator = false;
  bool dynamic = false;
  std::optional<std::string> address;
  bool fallback = false;              // capability qd.fallback
  std::optional<int> waypoint_phase;  // capability qd.waypoint[.N]
  bool presettled = false;            // snd-settle-mode settled
};

// One frame of an incoming delivery.
struct IncomingTransfer {
  uint64_t user = 0;  // what OnTransfer returned for the first frame; ignored with `first`
  bool first = false;
  bool more = false;
  bool aborted = false;
  bool settled = false;
  uint32_t delivery = 0;  // the connection's name for it, given back in Sink::SettleIn
  uint32_t message_format = 0;
  Slice payload;
};

// What the pilot publishes and a shard reads, all from one View.
struct Tables {
  uint64_t version = 0;
  const RouteTable* routes = nullptr;         // outlives the next Adopt
  const AddressSettings* settings = nullptr;  // likewise
};

// Counters of one shard; single writer. See base/counter.h.
struct ShardStats;

struct ShardOptions {
  ShardId id = 0;
  LocalIdentity identity;
  uint64_t seed = 0;
  uint64_t link_budget_bytes = 4u << 20;    // held per incoming link; above it gives no credit
  uint32_t emit_quantum_bytes = 64 * 1024;  // per link, then round robin
};

// The routing half of one worker: owns its connections' links and deliveries, decides by the
// adopted tables, and touches the outside only through Sink and Outbox. Sequential, sans-I/O, never
// blocks, never throws.
//
// A delivery has two halves joined by handles: InDelivery (the producer's, credit and outcome) and
// one OutDelivery per copy (the consumer's, payload and queue). Every InDelivery ends exactly once.
//
// Thread: its worker's; every method asserts it.
class Shard {
 public:
  Shard(ShardOptions options, BlockPool& pool);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();

  // --- connections; `sink` outlives Close
  Handle<Connection> Open(Sink& sink, ConnectionInfo info);
  // All links go as in OnDetach; the sink is not called again.
  void Close(Handle<Connection> connection);

  // --- links. The answer comes by Sink::Attached, for consumers only when they are reachable.
  Handle<InLink> AttachIn(Handle<Connection> connection, const AttachRequest& request);
  Handle<OutLink> AttachOut(Handle<Connection> connection, const AttachRequest& request);
  // The peer, or its session, is gone: what was queued is released, what was sent is
  // modified(failed).
  void DetachIn(Handle<InLink> link);
  void DetachOut(Handle<OutLink> link);

  // --- deliveries. Stale handles are ignored.
  uint64_t OnTransfer(Handle<InLink> link, IncomingTransfer transfer);
  // The producer's word on its delivery (its settlement, a `received` state).
  void OnProducerDisposition(uint64_t in_user, const amqp::Outcome& outcome, bool settled);
  // The consumer's word on the copy it got.
  void OnConsumerDisposition(uint64_t out_user, const amqp::Outcome& outcome, bool settled);
  // The consumer's credit changed.
  void OnFlow(Handle<OutLink> link, uint32_t credit, bool drain);
  // The producer's side of a drain: credit it has left.
  void OnProducerFlow(Handle<InLink> link, uint32_t credit);
  // The connection can take output again.
  void Resume(Handle<Connection> connection);

  // --- the turn
  void Adopt(const Tables& tables);
  void Accept(Envelope&& mail);
  // Sends from runnable links while credit, windows and quanta last. True if something is left that
  // can go on in the next turn.
  bool Emit(Time now);
  Outbox TakeOutbox();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::core
