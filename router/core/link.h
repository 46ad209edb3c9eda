#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "router/base/slot_map.h"
#include "router/base/time.h"
#include "router/core/delivery.h"
#include "router/core/ids.h"
#include "router/core/list.h"
#include "router/core/load.h"
#include "router/core/route_table.h"
#include "router/core/sink.h"

namespace trunkline::core {

struct InLink;

// Bytes of a link's name that are kept: peers choose names, which may be as long as a frame.
inline constexpr size_t kLinkNameKept = 256;

// What has happened on one link since it attached, for whoever looks.
struct LinkCounts {
  uint64_t deliveries = 0;  // begun
  uint64_t presettled = 0;  // of those
  uint64_t dropped = 0;     // pre-settled ones that did not get further
  // Of the others, by how they ended: terminal outcomes that the producer was told, or the consumer
  // gave.
  std::array<uint64_t, static_cast<size_t>(amqp::OutcomeKind::kUnknown) + 1> outcomes{};

  void Note(amqp::OutcomeKind kind) { ++outcomes[static_cast<size_t>(kind)]; }
};

// The place of an incoming link among those that send to one address key.
struct KeyHook {
  InLink* link = nullptr;
  bool fallback = false;  // `link` names the key as its fallback
  Hook<KeyHook> of_key;
};

// Where messages go: the route of their address, and that of its fallback. Null: none.
struct Destination {
  const Route* normal = nullptr;
  const Route* fallback = nullptr;

  bool Usable() const {
    return (normal != nullptr && normal->HasTargets()) ||
           (fallback != nullptr && fallback->HasTargets());
  }
};

// The destination that an anonymous link's last message had: the next one is likely to have it too.
struct LastAddress {
  uint64_t adoption = 0;  // of the tables that `destination` points into; 0: none
  std::string text;       // properties.to; empty: none, or too long to be kept
  Destination destination;
  bool control = false;      // a router control address
  bool unavailable = false;  // its treatment
};

// An incoming link whose deliveries wait for word of earlier ones: consumers they went to in other
// shards are gone. Nothing is forwarded meanwhile, so that no delivery overtakes another.
struct Hold {
  uint64_t fences = 0;       // shards, as bits, whose FenceAck is awaited
  uint64_t departures = 0;   // shards that sent something back and whose change is not adopted yet
  uint64_t first_fence = 0;  // acks with a smaller number belong to an earlier hold
  Time deadline;
  // Input that came after what is on its way back.
  std::vector<std::pair<Handle<InDelivery>, Payload>> late;
};

// When a producer is granted credit.
enum class Granting : uint8_t {
  kIfUsable,  // while there is a destination
  kAlways,    // it sends anywhere, or to the router itself, which answers every delivery
  kNever,     // its link is disabled
};

// A link on which a producer sends.
//
// Owned by the Shard. Invariant: credit + owed + deliveries whose credit was not returned = the
// credit granted so far in all, less what deliveries took and got back: `capacity` from the first
// grant on.
struct InLink {
  Connection* connection = nullptr;
  LinkToken token = 0;
  Hook<InLink> of_connection;
  List<InDelivery, &InDelivery::of_link> deliveries;

  bool anonymous = false;
  bool plain = false;       // of a message, only annotations are looked at
  bool control = false;     // a router control address: every delivery is released
  bool presettled = false;  // snd-settle-mode settled
  bool drained = false;     // told to use up or give back its credit, since there is no destination
  Granting granting = Granting::kIfUsable;
  uint32_t capacity = 0;
  uint32_t credit = 0;  // that the producer has; if disabled: what may have been used on the way
  uint32_t owed = 0;    // to be granted as soon as it may be
  uint64_t held = 0;    // bytes received and not passed on
  LinkCounts counts;

  bool blocked = false;      // in ShardStats::links_blocked
  Time dry_since;            // has had no credit, if it has none
  uint32_t stuck = 0;        // deliveries in ShardStats::stuck
  uint64_t delayed_1s = 0;   // as in ShardStats
  uint64_t delayed_10s = 0;  //

  bool stinted = false;   // in Shard::stinted_
  bool anywhere = false;  // in Shard::anywhere_
  uint64_t mailed = 0;    // shards, as bits, that it may have unicasts in the mail to
  std::unique_ptr<Hold> hold;

  uint64_t number = 0;  // no other link of the router has or had it
  std::string name;     // by the peer, up to kLinkNameKept
  std::string address;  // as attached, or as made for a dynamic target
  AddressKey key;
  AddressKey fallback_key;  // empty: none
  KeyHook by_key;
  KeyHook by_fallback_key;
  Destination destination;            // of the adopted tables
  std::unique_ptr<LastAddress> last;  // anonymous links only

  bool IsDisabled() const { return granting == Granting::kNever; }
  // Deliveries whose credit was not returned: by the invariant above.
  uint32_t Unfinished() const { return capacity - credit - owed; }
};

// What an outgoing link waits for.
enum class RunState : uint8_t {
  kIdle,      // a delivery, credit, more of a delivery, or to be attached
  kRunnable,  // its turn
  kBlocked,   // Shard::Resume of its connection
};

// A link on which a consumer receives.
//
// Owned by the Shard. Invariants: queued and unsettled count the two lists; `load` is their sum. A
// disabled link has no credit, whatever its consumer grants.
struct OutLink {
  Connection* connection = nullptr;
  LinkToken token = 0;
  Hook<OutLink> of_connection;
  Hook<OutLink> of_run;  // in one of the shard's run queues or the connection's blocked links

  List<OutDelivery, &OutDelivery::of_link> queue;  // the first may have been sent in part
  List<OutDelivery, &OutDelivery::of_link> sent;   // and not settled
  List<OutDelivery, &OutDelivery::of_presettled> presettled;  // those of `queue`
  OutDelivery* fresh = nullptr;  // first in `queue` that came in this turn
  // What waits behind the first of `queue`, up to `noted`, is in Connection::waiting; if the first
  // is `noted_behind`, else nothing is.
  OutDelivery* noted = nullptr;
  Handle<OutDelivery> noted_behind;
  uint32_t queued = 0;
  uint32_t unsettled = 0;
  uint32_t capacity = 0;  // mark for `balanced` and for pre-settled overflow
  uint32_t credit = 0;
  uint32_t kept_credit = 0;  // if disabled: what it will have when it is enabled
  RunState run = RunState::kIdle;
  bool attached = false;  // answered: deliveries may go
  bool drain = false;     // the consumer wants an answer when there is no more
  bool bulk = false;      // its last turn sent much: others go first
  bool starved = false;   // the first of `queue` waits for more of its input
  bool missed = false;    // some that `noted` has passed were taken off, as `starved` was not so
  bool blocked = false;   // in ShardStats::links_blocked
  bool disabled = false;  // in Shard::disabled_
  bool spared = false;    // disabled, and by the adopted tables others get its messages
  Time credit_since;      // has had credit, or has had none
  LinkCounts counts;

  uint64_t number = 0;  // as of InLink
  std::string name;     //
  AddressKey key;
  std::string made_address;  // of a dynamic source
  std::shared_ptr<LinkLoad> load;

  // Deliveries that a new one would have to share the consumer with (spec routing section 4.2).
  uint32_t Outstanding() const { return queued + unsettled; }
};

}  // namespace trunkline::core
