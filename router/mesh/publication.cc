#include "router/mesh/publication.h"

#include <utility>

#include "router/base/check.h"

namespace trunkline::mesh {

Publication::Publication(size_t workers) : adopted_(workers, 0) {}

Publication::Version Publication::Publish() {
  const Version before = newest_;
  holders_[++newest_] = adopted_.size();
  if (before != 0) FreeIfUnheld(before);
  return newest_;
}

void Publication::Unread(core::ShardId worker, Version version) {
  TL_CHECK(version > adopted_[worker]) << "worker " << worker << " has read view " << version;
  Release(version);
}

void Publication::Left(core::ShardId worker, Version left, Version adopted) {
  TL_CHECK(left == adopted_[worker] && adopted > left && adopted <= newest_)
      << "worker " << worker << " left view " << left << " for " << adopted << ", it had "
      << adopted_[worker];
  adopted_[worker] = adopted;
  if (left != 0) Release(left);
}

std::vector<Publication::Version> Publication::TakeFree() { return std::exchange(free_, {}); }

std::vector<core::ShardId> Publication::Laggards(Version version) const {
  std::vector<core::ShardId> laggards;
  for (size_t worker = 0; worker < adopted_.size(); ++worker) {
    if (adopted_[worker] < version) laggards.push_back(static_cast<core::ShardId>(worker));
  }
  return laggards;
}

void Publication::Release(Version version) {
  const auto held = holders_.find(version);
  TL_CHECK(held != holders_.end() && held->second > 0) << "view " << version << " is not held";
  --held->second;
  FreeIfUnheld(version);
}

void Publication::FreeIfUnheld(Version version) {
  const auto held = holders_.find(version);
  if (held == holders_.end() || held->second > 0 || version == newest_) return;
  holders_.erase(held);
  free_.push_back(version);
}

}  // namespace trunkline::mesh
