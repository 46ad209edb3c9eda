#include <memory>
#include <utility>
#include <vector>

#include "router/conn/frame_trace.h"
#include "router/net/worker.h"

// Frames of connections, for those who want to see them.
namespace trunkline::net {

void Worker::FollowFrameWishes() {
  ForEachSocket([this](Handle<Socket>, Socket& socket) { FollowFrameWishes(socket); });
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
