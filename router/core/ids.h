#pragma once

#include <cstddef>
#include <cstdint>

#include "router/base/slot_map.h"

namespace trunkline::core {

struct Connection;
struct InLink;
struct OutLink;
struct InDelivery;
struct OutDelivery;

// A shard is the routing half of a worker; both have the same number.
using ShardId = uint16_t;

// As many as the configuration may ask for. They are also named as bits of one word.
inline constexpr size_t kShardsMax = 16;
inline uint64_t BitOf(ShardId shard) { return uint64_t{1} << shard; }

// Names across shards: handles are meaningful only to the shard named beside them.
struct InLinkRef {
  ShardId shard = 0;
  Handle<InLink> link;
  bool operator==(const InLinkRef&) const = default;
};
struct OutLinkRef {
  ShardId shard = 0;
  Handle<OutLink> link;
  bool operator==(const OutLinkRef&) const = default;
};
struct InRef {
  ShardId shard = 0;
  Handle<InDelivery> delivery;
  bool operator==(const InRef&) const = default;
};
struct OutRef {
  ShardId shard = 0;
  Handle<OutDelivery> delivery;
  bool operator==(const OutRef&) const = default;
};

// How a link is known to people, across shards and for good.
struct LinkName {
  uint64_t connection = 0;
  uint64_t link = 0;
  bool operator==(const LinkName&) const = default;
};

// How deliveries to an address are distributed (spec routing section 4).
enum class Treatment : uint8_t { kClosest, kBalanced, kMulticast, kUnavailable };

// Role of a connection (spec routing section 11.1).
enum class ConnectionRole : uint8_t { kNormal, kRouteContainer, kInterRouter, kEdge };

}  // namespace trunkline::core
