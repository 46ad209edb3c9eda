#include <utility>

#include "router/core/settle.h"
#include "router/core/shard.h"
#include "router/core/shard_inline.h"

// Consumers in other shards that are gone: what was sent to them comes back, and is forwarded again
// before anything that came later.
namespace trunkline::core {
namespace {

// How long an incoming link waits for what is on its way back.
constexpr Duration kHoldTime = kSecond;

}  // namespace

// --- consumers that leave

// Shards that somebody of this route has left since `before`.
uint64_t Shard::Departed(const Route* before, const Route* after) {
  if (before == nullptr) return 0;
  uint64_t departed = 0;
  for (ShardId shard = 0; shard < before->local.size(); ++shard) {
    const ShardTargets& was = before->local[shard];
    if (was.targets.empty()) continue;
    const ShardTargets* is =
        after != nullptr && shard < after->local.size() ? &after->local[shard] : nullptr;
    if (is == nullptr || is->targets.empty() || is->last_departure != was.last_departure) {
      departed |= BitOf(shard);
    }
  }
  return departed;
}

// Somebody has left these shards. What was sent there may come back, so `link` waits until all of
// it must have.
void Shard::FenceOff(InLink& link, uint64_t departed) {
  departed &= link.mailed;
  if (departed == 0) return;
  Hold& hold = HoldOf(link);
  for (ShardId shard = 0; shard < kShardsMax; ++shard) {
    const uint64_t bit = BitOf(shard);
    if ((departed & bit) == 0 || (hold.fences & bit) != 0) continue;
    hold.fences |= bit;
    hold.departures &= ~bit;
    MailTo(shard).emplace_back(Fence{.link = in_links_.HandleOf(link), .number = ++last_fence_});
  }
}

// Whoever sends anywhere may have sent to any address whose consumers have left.
void Shard::FenceOffAnywhere(uint64_t departed) {
  size_t kept = 0;
  for (const Handle<InLink> handle : anywhere_) {
    InLink* link = in_links_.Find(handle);
    if (link == nullptr) continue;
    FenceOff(*link, departed);
    link->anywhere = link->mailed != 0;
    if (link->anywhere) anywhere_[kept++] = handle;
  }
  anywhere_.resize(kept);
}

void Shard::NoteMailed(InLink& link, ShardId shard) {
  link.mailed |= BitOf(shard);
  if (!link.anonymous || link.anywhere) return;
  link.anywhere = true;
  anywhere_.push_back(in_links_.HandleOf(link));
}

void Shard::On(ShardId from, Fence&& mail) {
  MailTo(from).emplace_back(FenceAck{.link = mail.link, .number = mail.number});
}

void Shard::On(ShardId from, FenceAck&& mail) {
  InLink* link = in_links_.Find(mail.link);
  if (link == nullptr || link->hold == nullptr || mail.number < link->hold->first_fence) return;
  Hold& hold = *link->hold;
  hold.fences &= ~BitOf(from);
  link->mailed &= ~BitOf(from);
  if (hold.fences == 0 && hold.departures == 0) GoOn(*link);
}

// --- what comes back

void Shard::On(ShardId from, Bounced&& mail) {
  Payload payload = mail.payload.TakeBack();
  InDelivery* in = in_deliveries_.Find(mail.in);
  if (in == nullptr) return;
  // More of it follows it; what has no place any more was refused, or is a multicast's.
  if (in->crossing == Crossing::kBounced) return in->held.Append(payload);
  if (in->crossing != Crossing::kAway || in->copy.shard != from) return;
  if (in->listed) Unlist(*in);
  in->waiting = false;
  in->crossing = Crossing::kBounced;
  in->open = 0;
  in->forwarded = false;
  if (in->settled && !in->presettled) stats_.presettled.Add();
  in->presettled = in->settled;
  if (in->held.empty()) in->held = std::move(payload);
  if (in->link == nullptr || in->overdue) return Discard(*in, ReleasedOutcome());
  Hold& hold = HoldOf(*in->link);
  if ((hold.fences & BitOf(from)) == 0) hold.departures |= BitOf(from);
}

Hold& Shard::HoldOf(InLink& link) {
  if (link.hold != nullptr) return *link.hold;
  link.hold = std::make_unique<Hold>();
  link.hold->first_fence = last_fence_ + 1;
  link.hold->deadline = now_ + kHoldTime;
  holds_.emplace_back(link.hold->deadline, in_links_.HandleOf(link));
  return *link.hold;
}

// Input while the link is held.
void Shard::Await(InDelivery& in, Payload&& more) {
  if (in.crossing == Crossing::kBounced) return AddLate(in, more);
  in.held.Append(more);
  in.held.Compact(pool_);
}

void Shard::AddLate(const InDelivery& in, const Payload& more) {
  const Handle<InDelivery> handle = in_deliveries_.HandleOf(in);
  for (auto& [name, payload] : in.link->hold->late) {
    if (name == handle) return payload.Append(more);
  }
  in.link->hold->late.emplace_back(handle, more);
}

// --- going on

// Everything that can come back has. What was not forwarded is, in order of arrival.
void Shard::GoOn(InLink& link) {
  SendLate(link);
  // By name: to forward one may end others, but none that is not forwarded.
  std::vector<Handle<InDelivery>> waiting;
  for (InDelivery* in = link.deliveries.front(); in != nullptr;
       in = decltype(link.deliveries)::Next(*in)) {
    if (!in->forwarded) waiting.push_back(in_deliveries_.HandleOf(*in));
  }
  for (const Handle<InDelivery> handle : waiting) {
    InDelivery& in = in_deliveries_.Get(handle);
    in.crossing = Crossing::kNone;
    in.look_at = 0;
    if (IsReady(in)) {
      Forward(in, {});
    } else {
      Assemble(in);
    }
  }
}

// The hold is over: input that came while its delivery was in question goes where that is.
void Shard::SendLate(InLink& link) {
  const std::unique_ptr<Hold> hold = std::move(link.hold);
  for (auto& [handle, more] : hold->late) {
    InDelivery* in = in_deliveries_.Find(handle);
    if (in == nullptr) continue;
    if (in->crossing == Crossing::kBounced) {
      in->held.Append(more);
    } else if (in->forwarded) {
      Append(*in, std::move(more));
    }
  }
}

// The producer is gone, and with it all accounting: only what is elsewhere has to get its end.
void Shard::EndHold(InLink& link) {
  const std::unique_ptr<Hold> hold = std::move(link.hold);
  for (auto& [handle, more] : hold->late) {
    InDelivery* in = in_deliveries_.Find(handle);
    if (in != nullptr && in->crossing == Crossing::kAway) MailMore(*in, std::move(more));
  }
}

// Links that have waited too long go on without what has not come back.
void Shard::EndHolds() {
  while (!holds_.empty() && holds_.front().first <= now_) {
    const auto [deadline, handle] = holds_.front();
    holds_.pop_front();
    InLink* link = in_links_.Find(handle);
    if (link == nullptr || link->hold == nullptr || link->hold->deadline != deadline) continue;
    GiveUp(*link);
    GoOn(*link);
  }
}

// What came back is released to its producer, and what may still come back will be.
void Shard::GiveUp(InLink& link) {
  InDelivery* next = link.deliveries.front();
  while (next != nullptr) {
    InDelivery& in = *next;
    next = decltype(link.deliveries)::Next(in);
    if (in.crossing == Crossing::kAway) in.overdue = true;
    if (in.crossing == Crossing::kBounced) Discard(in, ReleasedOutcome());
  }
}

}  // namespace trunkline::core
