#include "router/core/route_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "router/base/check.h"

namespace trunkline::core {
namespace {

// Both halves of the 128-bit product, folded: every bit of the result depends on all bits of both.
uint64_t Mix(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t Load(const char* bytes, size_t n) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, n);
  return word;
}

// Where a hash leads: its top bits choose the branch, the next ones the leaf.
size_t BranchIndex(uint64_t hash) { return hash >> 58; }
size_t LeafIndex(uint64_t hash) { return hash >> 52 & 63; }

}  // namespace

// Routes in order of hash, then key; the hashes apart, so that a search touches few cache lines.
struct RouteTable::Leaf {
  std::vector<uint64_t> hashes;
  std::vector<std::shared_ptr<const Route>> routes;

  size_t size() const { return hashes.size(); }
  // Where the route with this hash and key is, or belongs. `found`: it is there.
  struct Place {
    size_t index;
    bool found;
  };
  Place Find(uint64_t hash, std::string_view key) const;
  bool Before(size_t i, const Leaf& other, size_t j) const;
};

struct RouteTable::Branch {
  std::array<std::shared_ptr<const Leaf>, kFanout> leaves;
  uint32_t leaf_count = 0;
};

RouteTable::Leaf::Place RouteTable::Leaf::Find(uint64_t hash, std::string_view key) const {
  size_t index = std::lower_bound(hashes.begin(), hashes.end(), hash) - hashes.begin();
  for (; index < hashes.size() && hashes[index] == hash; ++index) {
    const int order = std::string_view(routes[index]->key).compare(key);
    if (order >= 0) return {index, order == 0};
  }
  return {index, false};
}

bool RouteTable::Leaf::Before(size_t i, const Leaf& other, size_t j) const {
  if (hashes[i] != other.hashes[j]) return hashes[i] < other.hashes[j];
  return routes[i]->key < other.routes[j]->key;
}

RouteTable::RouteTable(uint64_t hash_seed) : hash_seed_(hash_seed) {}

uint64_t RouteTable::Hash(std::string_view key) const {
  constexpr uint64_t kWordKey = 0x9e3779b97f4a7c15;
  constexpr uint64_t kStateKey = 0xd6e8feb86659fd93;
  uint64_t state = Mix(hash_seed_ ^ kWordKey, key.size() ^ kStateKey);
  const char* bytes = key.data();
  size_t left = key.size();
  for (; left > 8; left -= 8, bytes += 8)
    state = Mix(state ^ Load(bytes, 8), kWordKey ^ hash_seed_);
  if (left > 0) state = Mix(state ^ Load(bytes, left), kWordKey ^ hash_seed_);
  return Mix(state, kStateKey);
}

const Route* RouteTable::Find(std::string_view key) const {
  const uint64_t hash = Hash(key);
  const Branch* branch = root_[BranchIndex(hash)].get();
  if (branch == nullptr) return nullptr;
  const Leaf* leaf = branch->leaves[LeafIndex(hash)].get();
  if (leaf == nullptr) return nullptr;
  const Leaf::Place place = leaf->Find(hash, key);
  return place.found ? leaf->routes[place.index].get() : nullptr;
}

void RouteTable::Diff(const RouteTable& before, const RouteTable& after,
                      absl::FunctionRef<void(const Route*, const Route*)> changed) {
  TL_DCHECK(before.hash_seed_ == after.hash_seed_ || before.size_ == 0 || after.size_ == 0);
  static constexpr size_t kLeaves = kFanout * kFanout;
  const Leaf empty;
  const auto leaf_at = [&empty](const RouteTable& table, size_t i) -> const Leaf& {
    const Branch* branch = table.root_[i / kFanout].get();
    const Leaf* leaf = branch == nullptr ? nullptr : branch->leaves[i % kFanout].get();
    return leaf == nullptr ? empty : *leaf;
  };
  for (size_t i = 0; i < kLeaves; ++i) {
    if (before.root_[i / kFanout] == after.root_[i / kFanout]) {
      i |= kFanout - 1;  // the whole branch is shared
      continue;
    }
    const Leaf& old_leaf = leaf_at(before, i);
    const Leaf& new_leaf = leaf_at(after, i);
    if (&old_leaf != &new_leaf) DiffLeaf(old_leaf, new_leaf, changed);
  }
}

void RouteTable::DiffLeaf(const Leaf& before, const Leaf& after,
                          absl::FunctionRef<void(const Route*, const Route*)> changed) {
  size_t i = 0;
  size_t j = 0;
  while (i < before.size() || j < after.size()) {
    if (j == after.size() || (i < before.size() && before.Before(i, after, j))) {
      changed(before.routes[i++].get(), nullptr);
    } else if (i == before.size() || after.Before(j, before, i)) {
      changed(nullptr, after.routes[j++].get());
    } else {
      const Route* old_route = before.routes[i++].get();
      const Route* new_route = after.routes[j++].get();
      if (old_route != new_route) changed(old_route, new_route);
    }
  }
}

// The table in the making. Branches and leaves marked as own were made by this builder and are not
// visible to anyone else yet: they may be written to.
struct RouteTable::Builder::State {
  RouteTable table;
  uint64_t own_branches = 0;
  std::array<uint64_t, kFanout> own_leaves{};

  explicit State(const RouteTable& base) : table(base) {}
  Branch& OwnBranch(uint64_t hash);
  Leaf& OwnLeaf(uint64_t hash);
  void DropIfEmpty(uint64_t hash);
};

RouteTable::Branch& RouteTable::Builder::State::OwnBranch(uint64_t hash) {
  const size_t index = BranchIndex(hash);
  std::shared_ptr<const Branch>& place = table.root_[index];
  if ((own_branches >> index & 1) == 0) {
    place = place == nullptr ? std::make_shared<Branch>() : std::make_shared<Branch>(*place);
    own_branches |= uint64_t{1} << index;
    own_leaves[index] = 0;
  }
  return const_cast<Branch&>(*place);
}

RouteTable::Leaf& RouteTable::Builder::State::OwnLeaf(uint64_t hash) {
  Branch& branch = OwnBranch(hash);
  const size_t index = LeafIndex(hash);
  uint64_t& own = own_leaves[BranchIndex(hash)];
  std::shared_ptr<const Leaf>& place = branch.leaves[index];
  if ((own >> index & 1) == 0) {
    if (place == nullptr) ++branch.leaf_count;
    place = place == nullptr ? std::make_shared<Leaf>() : std::make_shared<Leaf>(*place);
    own |= uint64_t{1} << index;
  }
  return const_cast<Leaf&>(*place);
}

void RouteTable::Builder::State::DropIfEmpty(uint64_t hash) {
  Branch& branch = OwnBranch(hash);
  std::shared_ptr<const Leaf>& leaf = branch.leaves[LeafIndex(hash)];
  if (leaf->size() > 0) return;
  leaf = nullptr;
  own_leaves[BranchIndex(hash)] &= ~(uint64_t{1} << LeafIndex(hash));
  if (--branch.leaf_count > 0) return;
  table.root_[BranchIndex(hash)] = nullptr;
  own_branches &= ~(uint64_t{1} << BranchIndex(hash));
}

RouteTable::Builder::Builder(const RouteTable& base) : state_(std::make_unique<State>(base)) {}
RouteTable::Builder::~Builder() = default;

void RouteTable::Builder::Set(std::shared_ptr<const Route> route) {
  const uint64_t hash = state_->table.Hash(route->key);
  Leaf& leaf = state_->OwnLeaf(hash);
  const Leaf::Place place = leaf.Find(hash, route->key);
  if (place.found) {
    leaf.routes[place.index] = std::move(route);
    return;
  }
  leaf.hashes.insert(leaf.hashes.begin() + place.index, hash);
  leaf.routes.insert(leaf.routes.begin() + place.index, std::move(route));
  ++state_->table.size_;
}

void RouteTable::Builder::Erase(std::string_view key) {
  if (state_->table.Find(key) == nullptr) return;
  const uint64_t hash = state_->table.Hash(key);
  Leaf& leaf = state_->OwnLeaf(hash);
  const Leaf::Place place = leaf.Find(hash, key);
  leaf.hashes.erase(leaf.hashes.begin() + place.index);
  leaf.routes.erase(leaf.routes.begin() + place.index);
  --state_->table.size_;
  state_->DropIfEmpty(hash);
}

RouteTable RouteTable::Builder::Finish() { return std::move(state_->table); }

}  // namespace trunkline::core
