#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/functional/function_ref.h"
#include "router/base/string_map.h"
#include "router/core/address.h"
#include "router/core/ids.h"
#include "router/core/outbox.h"
#include "router/core/route_table.h"

namespace trunkline::mesh {

// Who consumes which address in this router: the notices of all shards, added up. Remembers which
// addresses have changed, so that the table is brought up to date address by address.
//
// How an address is treated is what the settings in force say about it, at any time; only addresses
// that settings do not speak of (local, topological, temporary ones) keep what their consumer says.
//
// Pure state, the same notices in the same order give the same result. Thread: the pilot's. Up and
// Down cost the same whatever the number of addresses and consumers, Switch that of addresses.
class Directory {
 public:
  // The links of one shard, in the order they came. A link that is gone leaves a gap (a handle that
  // is none) until gaps prevail.
  struct ShardLinks {
    std::vector<core::LocalTarget> targets;
    size_t gaps = 0;
    // Number of the last departure from here; of the last one anywhere before there was anybody.
    uint64_t last_departure = 0;
  };
  struct Address {
    std::string_view key;
    core::Treatment treatment = core::Treatment::kBalanced;
    std::vector<ShardLinks> local;  // by shard; those without consumers may be missing at the end
    uint64_t born = 0;              // number of the last departure before
    size_t consumers = 0;           // zero: gone, with this visit
    size_t disabled = 0;            // of them
    bool dirty = false;

    // Disabled links get messages only if no other is there.
    bool IsOffered(const core::LocalTarget& target) const {
      return target.link && (!target.disabled || disabled == consumers);
    }
  };

  explicit Directory(std::shared_ptr<const core::AddressSettings> settings);
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // False: the settings in force make the address unavailable, so the link was not entered and has
  // to be refused. (The shard that let it attach went by older ones.)
  [[nodiscard]] bool Up(const core::ConsumerUp& notice);
  // A link that is not known (it was refused) is ignored.
  void Down(const core::ConsumerDown& notice);
  // Likewise. Others get the messages of a link that is disabled; when all of an address are, they
  // do as if none was.
  void Switch(const core::ConsumerSwitched& notice);

  // Other settings are in force. Returns the links whose addresses became unavailable by that; they
  // are to be refused, and stay entered until they are down.
  [[nodiscard]] std::vector<core::OutLinkRef> SetSettings(
      std::shared_ptr<const core::AddressSettings> settings);

  // Visits the addresses that changed since the last visit, in an order that is the same in every
  // run, and forgets those without consumers.
  void VisitChanged(absl::FunctionRef<void(const Address&)> visit);
  bool HasChanged() const { return !changed_.empty(); }

  size_t addresses() const { return addresses_.size(); }
  size_t consumers() const { return places_.size(); }

 private:
  using LinkId = std::pair<core::ShardId, uint64_t>;  // shard, packed handle
  struct Place {
    Address* address = nullptr;
    size_t index = 0;  // in the targets of its shard
  };

  static LinkId IdOf(core::OutLinkRef link) { return {link.shard, link.link.Pack()}; }
  core::Treatment TreatmentOf(std::string_view key, core::Treatment said) const;
  Address& AddressOf(const core::ConsumerUp& notice);
  void Remove(core::OutLinkRef link);
  static bool HasFirstEnabled(const Address& address);
  void DepartAll(Address& address);
  void CloseGaps(Address& address, core::ShardId shard);
  void MarkChanged(Address& address);

  std::shared_ptr<const core::AddressSettings> settings_;
  absl::node_hash_map<core::AddressKey, Address, StringHash, std::equal_to<>> addresses_;
  absl::flat_hash_map<LinkId, Place> places_;
  std::vector<Address*> changed_;
  uint64_t departures_ = 0;  // from any address, so that one that is gone and back shows it
};

}  // namespace trunkline::mesh
