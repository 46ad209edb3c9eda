#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "router/conn/frame_trace.h"
#include "router/core/tap.h"
#include "router/trace.h"

namespace trunkline::net {

// Those who look at messages and frames of the running router, as control knows them: makes what is
// published to the workers, and reads what they saw.
//
// Owned by the Router. Thread: control.
class Tracing {
 public:
  using Id = uint64_t;

  // `wake` is called on any worker's thread when there is something to take.
  Tracing(size_t workers, std::function<void()> wake) : workers_(workers), wake_(std::move(wake)) {}
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;

  // They see something once they are published. InvalidArgument: no such pattern.
  absl::StatusOr<Id> Open(const TapSpec& spec);
  Id Open(const FrameTraceSpec& spec);
  void Close(Id id);

  // What is to be published; null: nobody looks.
  std::shared_ptr<const core::TapSet> taps() const;
  // The same value until a frame trace is opened or closed.
  std::shared_ptr<const conn::FrameWishes> frames() const { return wishes_; }

  // Nothing, of one that is closed.
  Samples<MessageSample> TakeSamples(Id id);
  Samples<TracedFrame> TakeFrames(Id id);

 private:
  void CollectWishes();

  const size_t workers_;
  const std::function<void()> wake_;
  Id last_ = 0;
  std::map<Id, std::shared_ptr<core::Tap>> taps_;
  std::map<Id, conn::FrameWish> frames_;
  std::shared_ptr<const conn::FrameWishes> wishes_;  // those of frames_
};

}  // namespace trunkline::net
