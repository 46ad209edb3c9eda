#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <variant>
#include <vector>

#include "router/core/envelope.h"
#include "router/core/outbox.h"
#include "router/core/route_table.h"
#include "router/mesh/directory.h"
#include "router/mesh/publication.h"
#include "router/mesh/table_builder.h"
#include "tests/sim/context.h"

namespace trunkline::sim {

// What the pilot publishes.
struct View {
  uint64_t version = 0;
  core::RouteTable routes;
  std::shared_ptr<const core::AddressSettings> settings;
};

// What a worker and the pilot exchange: a slot with the View to read next, mail from the pilot, and
// what the worker says.
struct Desk {
  struct Left {
    uint64_t left = 0;
    uint64_t adopted = 0;
  };
  const View* slot = nullptr;
  std::deque<core::Envelope> to_worker;
  std::deque<std::variant<core::Notice, Left>> to_pilot;
};

// The pilot as an actor: takes notices, builds tables, publishes them, answers consumers, and
// frees Views as soon as it may; a shard that reads one too late is seen by the sanitizer.
class Pilot {
 public:
  Pilot(Context& context, std::vector<Desk>& desks, uint64_t hash_seed);

  // The View to begin with; every worker reads it without saying so.
  const View* first() const { return views_.begin()->second.get(); }

  bool HasWork() const;
  // Takes some of what lies on the desks (all of it, if `all`), then publishes.
  void Step(bool all);
  // Other settings are in force from its next step on. Addresses keep what clients rely on: those
  // with one consumer per message change between kClosest and kBalanced.
  void ChangeSettings();

  // Whether a worker may read this version.
  bool IsLive(uint64_t version) const { return views_.contains(version); }
  uint64_t newest() const { return publication_.newest(); }
  size_t live_views() const { return views_.size(); }
  const mesh::Directory& directory() const { return directory_; }
  const core::RouteTable& table() const { return builder_.table(); }
  const core::AddressSettings& settings() const { return *settings_; }

 private:
  void Take(core::ShardId shard, const core::Notice& notice);
  void Publish();
  void MakeView();
  void FreeViews();

  Context& context_;
  std::vector<Desk>& desks_;
  std::shared_ptr<const core::AddressSettings> settings_;
  bool settings_changed_ = false;
  mesh::Directory directory_;
  mesh::TableBuilder builder_;
  mesh::Publication publication_;
  std::map<uint64_t, std::unique_ptr<const View>> views_;
  std::vector<core::OutLinkRef> ready_;
};

}  // namespace trunkline::sim
