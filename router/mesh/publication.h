#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "router/core/ids.h"

namespace trunkline::mesh {

// Which versions of the View exist, which workers may still read them, and which may be freed.
//
// A worker's slot holds one View. Publishing exchanges it: a View that was still in the slot was
// not read and comes back at once (Unread). A worker that takes a View from its slot says which one
// it left (Left). So a worker holds at most the View it reads and the one in its slot, besides
// those whose return is under way.
//
// Pure: knows numbers, not Views. Thread: the pilot's.
class Publication {
 public:
  // Counts from 1; zero is "none".
  using Version = uint64_t;

  // For workers 0..workers-1.
  explicit Publication(size_t workers);

  // The next version, held by every worker from here on. The caller puts it into all slots.
  Version Publish();

  // The exchange of a worker's slot gave `version` back.
  void Unread(core::ShardId worker, Version version);
  // The worker reads `adopted` from here on and `left` never again (none: it had nothing to read).
  void Left(core::ShardId worker, Version left, Version adopted);

  // Versions that nobody can read any more, each told once: free them. The newest is never among
  // them.
  std::vector<Version> TakeFree();

  Version newest() const { return newest_; }
  // Versions that are not free, the newest included.
  size_t live() const { return holders_.size(); }

  // Whether every worker reads `version` or a newer one; and who does not.
  bool InForce(Version version) const { return Laggards(version).empty(); }
  std::vector<core::ShardId> Laggards(Version version) const;

 private:
  void Release(Version version);
  void FreeIfUnheld(Version version);

  std::vector<Version> adopted_;       // by worker
  std::map<Version, size_t> holders_;  // number of workers that may read it
  std::vector<Version> free_;
  Version newest_ = 0;
};

}  // namespace trunkline::mesh
