#include "router/net/mailbox.h"

#include <utility>

#include "router/base/check.h"

namespace trunkline::net {

Mailbox::Mailbox(Poller& owner, size_t workers)
    : owner_(owner),
      workers_(workers),
      shards_(std::make_unique<Channel<core::Envelope>[]>(workers)) {
  TL_CHECK(workers >= 1 && workers <= kWorkersMax) << workers << " workers";
}

bool Mailbox::Tell(uint64_t bits) {
  dirty_.fetch_or(bits);
  return owner_.Wake();
}

// --- pilot's side

void Mailbox::Post(Mail mail) {
  if (pilot_.Send(std::move(mail))) Tell(kPilotBit);
}

void Mailbox::Forward() {
  if (pilot_.Forward()) Tell(kPilotBit);
}

const View* Mailbox::Publish(const View* view) {
  const View* unread = view_.exchange(view);
  owner_.Wake();
  return unread;
}

// --- side of other workers

Mailbox::Posted Mailbox::Post(core::ShardId from, std::vector<core::Envelope>& mail) {
  Channel<core::Envelope>& channel = shards_[from];
  Posted posted;
  for (core::Envelope& one : mail) posted.sent += channel.Send(std::move(one)) ? 1 : 0;
  mail.clear();
  if (posted.sent > 0) posted.woke = Tell(uint64_t{1} << from);
  return posted;
}

Mailbox::Posted Mailbox::Forward(core::ShardId from) {
  Channel<core::Envelope>& channel = shards_[from];
  Posted posted;
  const size_t before = channel.parked();
  if (!channel.Forward()) return posted;
  posted.sent = before - channel.parked();
  posted.woke = Tell(uint64_t{1} << from);
  return posted;
}

// --- owner's side

Mailbox::Drained Mailbox::Drain(
    size_t pilot_max, size_t worker_max, absl::FunctionRef<void(Mail&&)> accept,
    absl::FunctionRef<void(core::ShardId, core::Envelope&&)> accept_shard) {
  Drained sum;
  uint64_t bits = std::exchange(left_, 0);
  if (dirty_.load(std::memory_order_relaxed) != 0) bits |= dirty_.exchange(0);
  if (bits == 0) return sum;
  if ((bits & kPilotBit) != 0) {
    const auto drained = pilot_.Drain(pilot_max, accept);
    sum.room_wanted = drained.room_wanted;
    if (drained.left) left_ |= kPilotBit;
  }
  if ((bits & kShardBits) != 0) {
    first_ = static_cast<core::ShardId>((first_ + 1) % workers_);
    for (size_t i = 0; i < workers_; ++i) {
      const auto from = static_cast<core::ShardId>((first_ + i) % workers_);
      if ((bits >> from & 1) == 0) continue;
      const auto drained = shards_[from].Drain(
          worker_max, [&](core::Envelope&& mail) { accept_shard(from, std::move(mail)); });
      sum.count += drained.count;
      if (drained.room_wanted) sum.tell_room |= 1u << from;
      if (drained.left) left_ |= uint64_t{1} << from;
    }
  }
  sum.room_at = static_cast<uint32_t>(bits >> kRoomShift);
  sum.left = left_ != 0;
  return sum;
}

const View* Mailbox::TakeView() {
  if (view_.load(std::memory_order_relaxed) == nullptr) return nullptr;
  return view_.exchange(nullptr);
}

void Mailbox::Clear(absl::FunctionRef<void(core::Envelope&&)> take) {
  for (size_t i = 0; i < workers_; ++i) shards_[i].Clear(take);
}

}  // namespace trunkline::net
