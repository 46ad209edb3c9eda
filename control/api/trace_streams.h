#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>

#include "absl/status/statusor.h"
#include "control/api/desk.h"
#include "control/config/document.h"
#include "proto/trunkline/control/v1/trace_service.pb.h"
#include "router/base/time.h"
#include "router/trace.h"

namespace trunkline::api {

// Those who look at messages and at frames (TraceService.TapMessages, TraceFrames): asks the router
// for samples as fast as they are read, and for nothing once the caller has gone.
//
// A stream takes from the router only when all that was taken before has been written: what comes
// meanwhile waits there, within its bounds, and is dropped beyond them.
//
// Owned by the daemon; outlives the calls. Thread: control.
class TraceStreams {
 public:
  static constexpr size_t kTapsMax = 4;
  static constexpr size_t kFrameTracesMax = 4;

  // As of Router. They do not wait for workers, but for the opening.
  struct Hooks {
    std::function<absl::StatusOr<uint64_t>(const TapSpec& spec)> open_tap;
    std::function<absl::StatusOr<uint64_t>(const FrameTraceSpec& spec)> open_frames;
    std::function<Samples<MessageSample>(uint64_t number)> take_samples;
    std::function<Samples<trunkline::TracedFrame>(uint64_t number)> take_frames;
    std::function<void(uint64_t number)> stop;
    std::function<bool(uint64_t connection)> is_there;
    std::function<Time()> clock;
    std::function<int64_t()> wall_clock;                // milliseconds since 1970
    std::function<const config::Document&()> document;  // in force: who can have connections
  };
  explicit TraceStreams(Hooks hooks);
  ~TraceStreams();
  TraceStreams(const TraceStreams&) = delete;
  TraceStreams& operator=(const TraceStreams&) = delete;

  // By Method::key. They refer to this.
  Handlers MakeHandlers();

  // Control was woken: there may be samples.
  void OnWoken();
  // A connection has ended, and so have its frames.
  void OnConnectionGone(uint64_t connection);
  // Events were lost, and the end of a connection may be among them: those that are gone end.
  void OnEventsLost();
  size_t streams() const { return streams_.size(); }

 private:
  class Stream;
  class TapStream;
  class FrameStream;

  void OpenTap(const std::shared_ptr<Call>& call);
  void OpenFrames(const std::shared_ptr<Call>& call);
  void Begin(std::shared_ptr<Stream> stream);
  void Pump(Stream& stream);
  void Remove(const Stream& stream);
  size_t Count(bool taps) const;

  const Hooks hooks_;
  std::list<std::shared_ptr<Stream>> streams_;
};

}  // namespace trunkline::api
