#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "router/core/address.h"
#include "router/core/ids.h"
#include "router/core/load.h"

namespace trunkline::core {

// A consumer's link as a route names it.
struct LocalTarget {
  Handle<OutLink> link;
  std::shared_ptr<const LinkLoad> load;
  uint32_t capacity = 0;  // mark for `balanced`
  bool strip = false;     // its connection does not want router annotations
  bool disabled = false;  // all targets of a route are, or none
  LinkName name;          // for who looks at messages
};

// The consumers of an address in one shard.
struct ShardTargets {
  std::vector<LocalTarget> targets;
  // Grows whenever one of them goes, whatever becomes of the address meanwhile: who has sent to
  // this shard sees from it that somebody may have gone in between.
  uint64_t last_departure = 0;

  size_t size() const { return targets.size(); }
};

// Where deliveries to one address can go. Immutable; made by mesh/table_builder only.
struct Route {
  AddressKey key;
  uint32_t id = 0;  // dense, unique among live routes: index of per-shard cursors
  Treatment treatment = Treatment::kBalanced;
  std::vector<ShardTargets> local;  // by shard; shorter than their number when the rest is empty
  uint32_t local_count = 0;

  bool HasTargets() const { return local_count > 0; }
  // All its targets are in this shard, which has at least a place in `local`.
  bool IsOnlyIn(ShardId shard) const {
    return local.size() > shard && local[shard].size() == local_count;
  }
};

// Address key → Route: an immutable 64 × 64 × leaf trie over the key's hash. A new table shares all
// but the path to what changed, so a change costs the same whatever the size.
//
// The hash is seeded: peers choose addresses, and must not be able to choose the leaf. The same
// seed gives the same table on every machine and in every run.
//
// Thread: read by anyone; written by the pilot only.
class RouteTable {
 public:
  explicit RouteTable(uint64_t hash_seed = 0);  // empty

  const Route* Find(std::string_view key) const;
  size_t size() const { return size_; }

  // Copies of this table with routes set or erased.
  class Builder;

  // Calls `changed(before, after)` for every route that differs; null where absent. Skips what is
  // shared. REQUIRES: equal seeds, or one of the tables is empty.
  static void Diff(const RouteTable& before, const RouteTable& after,
                   absl::FunctionRef<void(const Route*, const Route*)> changed);

 private:
  struct Leaf;
  struct Branch;

  static constexpr size_t kFanout = 64;

  uint64_t Hash(std::string_view key) const;
  static void DiffLeaf(const Leaf& before, const Leaf& after,
                       absl::FunctionRef<void(const Route*, const Route*)> changed);

  uint64_t hash_seed_;
  std::array<std::shared_ptr<const Branch>, kFanout> root_;
  size_t size_ = 0;
};

// Applies a batch of changes to a table; copies each leaf and branch at most once per batch. The
// base may go while the builder works.
class RouteTable::Builder {
 public:
  explicit Builder(const RouteTable& base);
  ~Builder();
  void Set(std::shared_ptr<const Route> route);  // inserts, or replaces the route of that key
  void Erase(std::string_view key);              // ignores a key that has no route
  // The table with all changes; the builder is spent.
  RouteTable Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace trunkline::core
