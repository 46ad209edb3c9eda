#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "router/conn/frame_trace.h"
#include "router/net/worker.h"

// Frames of connections, for those who want to see them.
namespace trunkline::net {
namespace {

// Those of the first that are not among the second are added to `changed`. Null: nothing is wished.
void AddMissing(const conn::FrameWishes* wishes, const conn::FrameWishes* others,
                std::vector<const conn::FrameWish*>& changed) {
  if (wishes == nullptr) return;
  for (const conn::FrameWish& wish : *wishes) {
    const auto same = [&](const conn::FrameWish& other) { return other.queue == wish.queue; };
    if (others == nullptr || std::none_of(others->begin(), others->end(), same)) {
      changed.push_back(&wish);
    }
  }
}

}  // namespace

void Worker::FollowFrameWishes(const conn::FrameWishes* before) {
  const conn::FrameWishes* wishes = view_->lookers.frames.get();
  if (wishes == before) return;
  std::vector<const conn::FrameWish*> changed;
  AddMissing(before, wishes, changed);
  AddMissing(wishes, before, changed);
  if (std::any_of(changed.begin(), changed.end(),
                  [](auto* wish) { return wish->connection == 0; })) {
    return ForEachSocket([this](Handle<Socket>, Socket& socket) { FollowFrameWishes(socket); });
  }
  for (const conn::FrameWish* wish : changed) {
    if (Socket* socket = Find(wish->connection); socket != nullptr) FollowFrameWishes(*socket);
  }
}

void Worker::FollowFrameWishes(Socket& socket) {
  if (socket.lingering()) return;
  std::vector<std::shared_ptr<conn::FrameQueue>> queues;
  if (view_->lookers.frames != nullptr) {
    for (const conn::FrameWish& wish : *view_->lookers.frames) {
      const ConnectionPlan& plan = socket.plan();
      if (wish.Wants(socket.id(), plan.owner, plan.inbound)) queues.push_back(wish.queue);
    }
  }
  socket.driver().TraceFrames({.worker = options_.id, .connection = socket.id()},
                              std::move(queues));
}

}  // namespace trunkline::net
