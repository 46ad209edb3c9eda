#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "router/base/time.h"

namespace trunkline::daemon {

// What the control thread waits for: signals, what other threads hand over, and time. The only
// place in control that sleeps and reads the monotonic clock.
//
// Thread: control, but for Wake and Post.
class ControlLoop {
 public:
  // The signals below, and SIGPIPE, do not interrupt this thread and those it starts from here on.
  // Call before any thread is started.
  static absl::Status BlockSignals();
  // REQUIRES: BlockSignals was called. SIGTERM, SIGINT, SIGQUIT and SIGHUP are then told by Wait.
  static absl::StatusOr<std::unique_ptr<ControlLoop>> Open();
  ~ControlLoop();
  ControlLoop(const ControlLoop&) = delete;
  ControlLoop& operator=(const ControlLoop&) = delete;

  // What ended a wait. None of it: the deadline.
  struct Turn {
    Time now;
    bool woken = false;
    std::vector<int> signals;                   // in order of arrival
    std::vector<std::function<void()>> posted;  // likewise; to be called
  };
  Turn Wait(Time deadline);

  // Ends the wait that is under way, or the next one. Any thread.
  void Wake();

  // `function` is among those of the next turn. False: control has ended, and it is dropped. Who
  // posts has a limit of their own (calls under way, one write of the state). Any thread.
  bool Post(std::function<void()> function);
  // What is posted from here on is dropped.
  void Close();

  Time Now() const;

 private:
  ControlLoop() = default;

  int signal_fd_ = -1;
  int wake_fd_ = -1;
  std::mutex mutex_;  // of what follows
  std::vector<std::function<void()>> posted_;
  bool closed_ = false;
};

}  // namespace trunkline::daemon
