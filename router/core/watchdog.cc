#include "router/core/watchdog.h"

#include <algorithm>
#include <utility>

#include "router/core/shard.h"
#include "router/core/shard_inline.h"

// What takes too long, and how long things take.
namespace trunkline::core {

// --- when to look

Time Shard::NextDeadline() const {
  const Time hold = holds_.empty() ? kNever : holds_.front().first;
  return HasToWatch() ? std::min(hold, watchdog_.due) : hold;
}

// With nothing to be found, a router that is idle does not wake up.
bool Shard::HasToWatch() const {
  return in_deliveries_.size() > 0 || watchdog_.dry || watchdog_.blocked_consumers > 0 ||
         !watchdog_.IsBetweenRounds();
}

// The next slice.
void Shard::Watch() {
  using Stage = Watchdog::Stage;
  Watchdog& dog = watchdog_;
  if (dog.IsBetweenRounds()) dog.begun = now_;
  dog.due = HasToWatch() ? now_ : now_ + options_.watch_interval;
  if (dog.due > now_) return;
  switch (dog.stage) {
    case Stage::kDeliveries:
      dog.at = in_deliveries_.Walk(dog.at, kWatchSlice, [this](auto& in) { WatchDelivery(in); });
      if (dog.at > 0) return;
      dog.dry = false;
      dog.stage = Stage::kProducers;
      return;
    case Stage::kProducers:
      dog.at = in_links_.Walk(dog.at, kWatchSlice, [this](auto& link) { WatchProducer(link); });
      if (dog.at == 0) dog.stage = Stage::kConsumers;
      return;
    case Stage::kConsumers:
      dog.at = out_links_.Walk(dog.at, kWatchSlice, [this](auto& link) { WatchConsumer(link); });
      if (dog.at > 0) return;
      dog.stage = Stage::kDeliveries;
      dog.due = dog.begun + options_.watch_interval;
  }
}

// --- what is found

void Shard::WatchDelivery(InDelivery& in) {
  // A stand-in is looked at where its producer is.
  if (in.stuck || in.crossing == Crossing::kStandIn || now_ - in.arrived <= kStuckAge) return;
  in.stuck = true;
  stats_.stuck.Add(1);
  if (in.link == nullptr || in.link->stuck++ > 0) return;
  outbox_.to_pilot.push_back(
      LinkStuck{.link = {.shard = options_.id, .link = in_links_.HandleOf(*in.link)},
                .address = in.link->address,
                .user = in.link->connection->info.user,
                .at = now_,
                .age = now_ - in.arrived});
}

void Shard::WatchProducer(InLink& link) {
  if (link.credit > 0 || link.blocked || link.IsDisabled()) return;
  if (now_ - link.dry_since <= kBlockedAge) {
    watchdog_.dry = true;
    return;
  }
  link.blocked = true;
  stats_.links_blocked.Add(1);
}

void Shard::WatchConsumer(OutLink& link) {
  const OutDelivery* head = link.queue.front();
  if (head == nullptr) return Unblock(link);  // what waited went another way
  if (link.credit > 0 || link.blocked || link.disabled) return;
  if (head->started || head->in == nullptr) return;
  if (now_ - std::max(link.credit_since, head->in->arrived) <= kBlockedAge) return;
  link.blocked = true;
  ++watchdog_.blocked_consumers;
  stats_.links_blocked.Add(1);
}

void Shard::Unblock(InLink& link) {
  if (std::exchange(link.blocked, false)) stats_.links_blocked.Add(-1);
}

void Shard::Unblock(OutLink& link) {
  if (!std::exchange(link.blocked, false)) return;
  --watchdog_.blocked_consumers;
  stats_.links_blocked.Add(-1);
}

// A producer has used up its credit, or gave it back.
void Shard::NoteDry(InLink& link) {
  link.dry_since = now_;
  watchdog_.dry = true;
}

// --- how long things take

// The end of a delivery that took too long.
void Shard::NoteDelay(const InDelivery& in) {
  if (in.crossing == Crossing::kStandIn) return;
  const bool very = now_ - in.arrived > kVeryDelayed;
  (very ? stats_.delayed_10s : stats_.delayed_1s).Add();
  if (in.stuck) stats_.stuck.Add(-1);
  if (in.link == nullptr) return;
  ++(very ? in.link->delayed_10s : in.link->delayed_1s);
  if (in.stuck) --in.link->stuck;
}

// The first frame of a copy leaves in a later turn than that of its arrival.
void Shard::NoteWaited(const InDelivery& in, const OutLink& link) {
  stats_.forward_duration.Note(static_cast<uint64_t>((leaving_ - in.arrived).ns));
  if (link.credit_since <= in.arrived) return;
  stats_.credit_wait.Note(static_cast<uint64_t>((link.credit_since - in.arrived).ns));
}

// The others, all at once.
void Shard::NoteLeft() {
  if (leaving_at_once_ == 0) return;
  stats_.forward_duration.Note(static_cast<uint64_t>((leaving_ - now_).ns),
                               std::exchange(leaving_at_once_, 0));
}

}  // namespace trunkline::core
