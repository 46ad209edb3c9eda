#include "control/daemon/control_loop.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

namespace trunkline::daemon {
namespace {

sigset_t HandledSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

// For poll: rounded up, so that a wait never ends just before its deadline.
int Milliseconds(Time now, Time deadline) {
  if (deadline == kNever) return -1;
  if (deadline <= now) return 0;
  const int64_t milliseconds = ((deadline - now).ns + kMillisecond.ns - 1) / kMillisecond.ns;
  return static_cast<int>(std::min<int64_t>(milliseconds, std::numeric_limits<int>::max()));
}

}  // namespace

absl::Status ControlLoop::BlockSignals() {
  sigset_t signals = HandledSignals();
  sigaddset(&signals, SIGPIPE);
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return absl::InternalError("cannot block signals");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ControlLoop>> ControlLoop::Open() {
  std::unique_ptr<ControlLoop> loop(new ControlLoop());
  const sigset_t signals = HandledSignals();
  loop->signal_fd_ = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  loop->wake_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (loop->signal_fd_ < 0 || loop->wake_fd_ < 0) {
    return absl::ErrnoToStatus(errno, "control loop");
  }
  return loop;
}

ControlLoop::~ControlLoop() {
  if (signal_fd_ >= 0) ::close(signal_fd_);
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

ControlLoop::Turn ControlLoop::Wait(Time deadline) {
  std::array<pollfd, 2> waited = {{{signal_fd_, POLLIN, 0}, {wake_fd_, POLLIN, 0}}};
  (void)::poll(waited.data(), waited.size(), Milliseconds(Now(), deadline));
  Turn turn;
  uint64_t wakes = 0;
  turn.woken = ::read(wake_fd_, &wakes, sizeof(wakes)) == sizeof(wakes);
  signalfd_siginfo info;
  while (::read(signal_fd_, &info, sizeof(info)) == sizeof(info)) {
    turn.signals.push_back(static_cast<int>(info.ssi_signo));
  }
  if (turn.woken) {
    const std::lock_guard lock(mutex_);
    turn.posted.swap(posted_);
  }
  turn.now = Now();
  return turn;
}

void ControlLoop::Wake() {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is woken anyway.
  (void)!::write(wake_fd_, &one, sizeof(one));
}

bool ControlLoop::Post(std::function<void()> function) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    posted_.push_back(std::move(function));
  }
  Wake();
  return true;
}

void ControlLoop::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  posted_.clear();
}

Time ControlLoop::Now() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return {int64_t{now.tv_sec} * kSecond.ns + now.tv_nsec};
}

}  // namespace trunkline::daemon
