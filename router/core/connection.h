#pragma once

#include <cstdint>
#include <string>

#include "router/base/slot_map.h"
#include "router/core/ids.h"
#include "router/core/link.h"
#include "router/core/list.h"
#include "router/core/sink.h"

namespace trunkline::core {

// What a shard has to know about a connection.
struct ConnectionInfo {
  uint64_t id = 0;  // how the router knows it
  ConnectionRole role = ConnectionRole::kNormal;
  uint32_t link_capacity = 250;  // credit per incoming link, queue mark per outgoing link
  bool strip_inbound_annotations = true;
  bool strip_outbound_annotations = true;
  uint64_t max_message_size = 0;  // 0: no limit
  std::string user;               // authenticated id; empty: anonymous
  bool allow_user_id_proxy = true;
  uint32_t session_window_bytes = 1u << 20;  // received payload that a session may hold
};

// A connection as a shard sees it: its links and where to reach it.
//
// Owned by the Shard, from Open to Close.
struct Connection {
  Sink* sink = nullptr;  // null while it closes: nothing is said to it any more
  ConnectionInfo info;
  List<InLink, &InLink::of_connection> in_links;
  List<OutLink, &OutLink::of_connection> out_links;
  uint32_t in_link_count = 0;
  uint32_t out_link_count = 0;
  List<OutLink, &OutLink::of_run> blocked;
  uint64_t unreleased = 0;  // bytes received that its session windows did not get back
  uint64_t assembling = 0;  // of these, in deliveries that are not forwarded yet
  List<InDelivery, &InDelivery::of_relief> assembled;  // which they are

  // Deliveries that were seen to wait, here or in other shards, behind one that is still arriving,
  // and have bytes that are not released.
  List<InDelivery, &InDelivery::of_relief> waiting;
  bool tight = false;  // in Shard::tight_
  Hook<Connection> of_tight;
};

}  // namespace trunkline::core
