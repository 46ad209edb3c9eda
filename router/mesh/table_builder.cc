#include "router/mesh/table_builder.h"

#include <utility>

namespace trunkline::mesh {
namespace {

// The links of an address as a route has them: those that are offered, without empty shards at the
// end.
void CopyTargets(const Directory::Address& address, core::Route& route) {
  for (core::ShardId shard = 0; shard < address.local.size(); ++shard) {
    const Directory::ShardLinks& links = address.local[shard];
    if (links.targets.size() == links.gaps) continue;
    std::vector<core::LocalTarget> targets;
    targets.reserve(links.targets.size() - links.gaps);
    for (const core::LocalTarget& target : links.targets) {
      if (address.IsOffered(target)) targets.push_back(target);
    }
    if (targets.empty()) continue;
    route.local_count += static_cast<uint32_t>(targets.size());
    route.local.resize(shard + 1);
    route.local[shard] = {.targets = std::move(targets), .last_departure = links.last_departure};
  }
}

}  // namespace

TableBuilder::TableBuilder(uint64_t hash_seed) : table_(hash_seed) {}

bool TableBuilder::Update(Directory& directory) {
  if (!directory.HasChanged()) return false;
  bool changed = false;
  core::RouteTable::Builder builder(table_);
  directory.VisitChanged([&](const Directory::Address& address) {
    if (address.consumers == 0) {
      const core::Route* old_route = table_.Find(address.key);
      if (old_route == nullptr) return;  // came and went between two updates
      free_ids_.push_back(old_route->id);
      builder.Erase(address.key);
    } else {
      auto route = std::make_shared<core::Route>();
      route->key = address.key;
      route->id = IdFor(address.key);
      route->treatment = address.treatment;
      if (address.treatment != core::Treatment::kUnavailable) CopyTargets(address, *route);
      builder.Set(std::move(route));
    }
    changed = true;
  });
  if (changed) table_ = builder.Finish();
  return changed;
}

uint32_t TableBuilder::IdFor(std::string_view key) {
  if (const core::Route* old_route = table_.Find(key)) return old_route->id;
  if (free_ids_.empty()) return id_limit_++;
  const uint32_t id = free_ids_.back();
  free_ids_.pop_back();
  return id;
}

}  // namespace trunkline::mesh
