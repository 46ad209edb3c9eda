#pragma once

#include <cstdint>
#include <memory>

#include "absl/container/btree_map.h"
#include "router/amqp/link.h"
#include "router/amqp/types.h"

namespace trunkline::amqp {

// What the next flush says about a delivery. Equal ones next to each other make a range. Like an
// entry it has no initializers: a ring is made without a look at places that nothing has taken yet.
struct DeliveryMark {
  OutcomeKind outcome;
  bool live : 1;       // false: settled; only its place is kept
  bool marked : 1;     // a disposition is due
  bool settle : 1;     // and settles
  uint8_t unused : 5;  // so that marks compare as a whole
  uint16_t state;      // of `outcome`: place in the session's list of raw states, from 1; 0: none
};
static_assert(sizeof(DeliveryMark) == 4);

// A delivery that is not settled on both sides.
struct UnsettledEntry {
  uint64_t user;
  uint32_t link;
  DeliveryMark mark;
};
static_assert(sizeof(UnsettledEntry) == 16);

// The unsettled deliveries of a session in one direction, by delivery-id: a ring that grows and
// goes with what is in flight. Deliveries end in any order; those that stay behind by far are moved
// aside, so that one slow consumer does not make the ring as long as all that passed it by.
//
// Owned by a Session. Thread: the worker's. Holds no memory when Trim finds it empty.
class UnsettledMap {
 public:
  // Live deliveries; beyond it a session is ended.
  static constexpr uint32_t kLiveMax = 1u << 20;

  // The id that the next delivery gets.
  uint32_t next() const { return end_; }
  uint32_t live() const { return live_; }
  bool empty() const { return live_ == 0; }
  // Ids in [first(), next()) are in the ring.
  uint32_t first() const { return head_; }

  // The next id is one of a peer's choice. REQUIRES: Lone().
  void StartAt(uint32_t id) { head_ = end_ = id; }

  // There is no place for another one: Grow, and settle what is marked before (marked deliveries
  // must not be moved aside).
  bool Full() const { return end_ - head_ == capacity_; }
  // False if kLiveMax is reached.
  [[nodiscard]] bool Grow();

  // Takes the next id for a delivery that is unsettled. REQUIRES: !Full().
  void Add(uint32_t link, uint64_t user) {
    ++live_;
    At(end_++) = UnsettledEntry{.user = user, .link = link, .mark = {.live = true}};
  }
  // A delivery can be added, or, if it is settled already, be skipped.
  bool HasRoom(bool settled) const { return !Full() || (settled && Lone()); }
  // The ring holds nothing: ids that are settled from the start need no place.
  bool Lone() const { return head_ == end_; }
  // Takes the next id for one that is settled already. REQUIRES: !Full(), or Lone().
  void Skip() {
    if (Lone()) {
      head_ = ++end_;
    } else {
      At(end_++) = UnsettledEntry{};
    }
  }

  // The live delivery of that id, or null.
  UnsettledEntry* Find(uint32_t id) {
    if (InRing(id)) {
      UnsettledEntry& entry = At(id);
      return entry.mark.live ? &entry : nullptr;
    }
    return aside_ == nullptr ? nullptr : FindAside(id);
  }
  // True if it is in the ring, not aside.
  bool InRing(uint32_t id) const { return id - head_ < end_ - head_; }
  // The entry of an id in the ring, live or not. REQUIRES: InRing(id).
  UnsettledEntry& At(uint32_t id) { return ring_[id & (capacity_ - 1)]; }

  // Ends a delivery that Find or NextIn returned; `entry` is gone with that.
  void Settle(uint32_t id, UnsettledEntry& entry) {
    if (!InRing(id)) return SettleAside(id);
    Clear(entry);
    if (id == head_) Advance();
  }
  // As Settle for an entry of the ring, in a loop that ends with Advance.
  void Clear(UnsettledEntry& entry) {
    entry.mark.live = false;
    --live_;
  }
  void Advance() {
    while (head_ != end_ && !At(head_).mark.live) ++head_;
  }

  // A walk over the live deliveries in [first, last], in their order. Deliveries may come, go and
  // be moved aside between two steps. REQUIRES: last is at or behind first.
  struct Range {
    uint32_t first = 0;
    uint32_t last = 0;
    uint32_t next = 0;  // = first at the start
  };
  // The next one and its id; null at the end. Costs what is there, not what the range spans.
  UnsettledEntry* NextIn(Range& range, uint32_t& id) {
    if (SerialDistance(range.next, head_) < 0) {
      if (UnsettledEntry* entry = NextAside(range)) {
        id = range.next - 1;
        return entry;
      }
      range.next = head_;
    }
    while (InRing(range.next) && SerialDistance(range.next, range.last) <= 0) {
      UnsettledEntry& entry = At(range.next++);
      if (!entry.mark.live) continue;
      id = range.next - 1;
      return &entry;
    }
    return nullptr;
  }

  // How many places a walk over [first, last] looks at, at most.
  uint64_t WalkCost(uint32_t first, uint32_t last) const;

  // Ends all deliveries of such links, and reports nothing. Looks at every place.
  template <typename IsGone>
  void DropLinks(IsGone is_gone) {
    for (uint32_t id = head_; id != end_; ++id) {
      UnsettledEntry& entry = At(id);
      if (entry.mark.live && is_gone(entry.link)) Clear(entry);
    }
    Advance();
    if (aside_ == nullptr) return;
    live_ -= static_cast<uint32_t>(absl::erase_if(
        *aside_, [&is_gone](const auto& entry) { return is_gone(entry.second.link); }));
    if (aside_->empty()) aside_.reset();
  }

  // Gives the memory back that nothing unsettled needs.
  void Trim();
  // A delivery has been aside for so long that its id is about to come again.
  bool Overrun() const;

 private:
  static constexpr uint32_t kCapacityMin = 32;
  // A ring of up to this size is made again as large as it was when Trim freed it: in bursts it
  // would be doubled again and again.
  static constexpr uint32_t kCapacityRemembered = 2048;
  // From this size on stragglers are moved aside rather than the ring doubled.
  static constexpr uint32_t kCrowdedMin = 1024;

  void Resize(uint32_t capacity);
  void MoveAside();
  UnsettledEntry* FindAside(uint32_t id);
  void SettleAside(uint32_t id);
  // Null when those aside, all of them before the ring, are done.
  UnsettledEntry* NextAside(Range& range);

  std::unique_ptr<UnsettledEntry[]> ring_;
  uint32_t capacity_ = 0;                   // a power of two, or 0
  uint32_t capacity_first_ = kCapacityMin;  // of the next ring after none
  uint32_t head_ = 0;                       // of the oldest in the ring
  uint32_t end_ = 0;
  uint32_t live_ = 0;  // aside included
  std::unique_ptr<absl::btree_map<uint32_t, UnsettledEntry>> aside_;
};

}  // namespace trunkline::amqp
