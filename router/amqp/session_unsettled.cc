#include "router/amqp/session_unsettled.h"

#include <algorithm>
#include <utility>

namespace trunkline::amqp {
namespace {

// Ids that may pass while one delivery stays unsettled: serial numbers have no order beyond 2^31.
constexpr uint32_t kAgeMax = 1u << 30;

}  // namespace

bool UnsettledMap::Grow() {
  if (live_ >= kLiveMax) return false;
  if (capacity_ >= kCrowdedMin && live_ <= capacity_ / 4) {
    MoveAside();
  } else {
    Resize(capacity_ == 0 ? capacity_first_ : capacity_ * 2);
  }
  return true;
}

// The older half of the ring becomes free; what is live there stays findable.
void UnsettledMap::MoveAside() {
  if (aside_ == nullptr) aside_ = std::make_unique<absl::btree_map<uint32_t, UnsettledEntry>>();
  const uint32_t middle = head_ + capacity_ / 2;
  for (; head_ != middle; ++head_) {
    if (At(head_).mark.live) aside_->emplace(head_, At(head_));
  }
  Advance();
}

void UnsettledMap::Resize(uint32_t capacity) {
  auto ring = std::make_unique_for_overwrite<UnsettledEntry[]>(capacity);
  for (uint32_t id = head_; id != end_; ++id) ring[id & (capacity - 1)] = At(id);
  ring_ = std::move(ring);
  capacity_ = capacity;
}

UnsettledEntry* UnsettledMap::FindAside(uint32_t id) {
  const auto found = aside_->find(id);
  return found == aside_->end() ? nullptr : &found->second;
}

void UnsettledMap::SettleAside(uint32_t id) {
  live_ -= static_cast<uint32_t>(aside_->erase(id));
  if (aside_->empty()) aside_.reset();
}

UnsettledEntry* UnsettledMap::NextAside(Range& range) {
  if (aside_ == nullptr) return nullptr;
  // Ids in the order of serial numbers from `next` on, around the end of their range.
  auto found = aside_->lower_bound(range.next);
  if (found == aside_->end()) found = aside_->begin();
  const uint32_t distance = found->first - range.first;
  // Nearer than `next` is once around.
  const bool in_range = distance <= range.last - range.first;
  if (!in_range || distance < range.next - range.first) return nullptr;
  range.next = found->first + 1;
  return &found->second;
}

uint64_t UnsettledMap::WalkCost(uint32_t first, uint32_t last) const {
  uint64_t cost = 0;
  if (SerialDistance(first, head_) < 0) {
    if (aside_ != nullptr) cost = std::min(uint64_t{last - first} + 1, uint64_t{aside_->size()});
    first = head_;
  }
  if (SerialDistance(last, end_) >= 0) last = end_ - 1;
  if (SerialDistance(first, last) <= 0) cost += uint64_t{last - first} + 1;
  return cost;
}

void UnsettledMap::Trim() {
  if (!Lone() || capacity_ == 0) return;
  capacity_first_ = std::min(capacity_, kCapacityRemembered);
  ring_.reset();
  capacity_ = 0;
}

bool UnsettledMap::Overrun() const {
  if (aside_ == nullptr) return false;
  // The oldest is the first one behind `end_`, going around.
  auto oldest = aside_->lower_bound(end_);
  if (oldest == aside_->end()) oldest = aside_->begin();
  return end_ - oldest->first > kAgeMax;
}

}  // namespace trunkline::amqp
