#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/base/thread.h"
#include "router/net/probe_attempt.h"
#include "router/probe.h"

namespace trunkline {

// One attempt and its thread.
struct Prober::Job {
  std::atomic<bool> ended = false;
  std::thread thread;
};

Prober::Prober() : stop_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Prober::~Prober() {
  const uint64_t one = 1;
  // It is never read: all that wait for it, and all that come to, are woken.
  (void)!::write(stop_fd_, &one, sizeof one);
  for (const auto& job : jobs_) job->thread.join();
  if (stop_fd_ >= 0) ::close(stop_fd_);
}

absl::Status Prober::Begin(ProbeWish wish, Done done) {
  Reap();
  if (stop_fd_ < 0) return absl::ResourceExhaustedError("too many open files");
  if (jobs_.size() == kAtOnceMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", kAtOnceMax, " such tests under way"));
  }
  auto job = std::make_unique<Job>();
  auto run = [job = job.get(), stop = stop_fd_, wish = std::move(wish), done = std::move(done)] {
    BeginThread("tl-probe", ThreadClass::kService);
    done(net::ProbeAttempt(wish, stop).Run());
    job->ended = true;
  };
  try {
    job->thread = std::thread(std::move(run));
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no thread for another test: ", error.code().message()));
  }
  jobs_.push_back(std::move(job));
  return absl::OkStatus();
}

// Joins those that have ended.
void Prober::Reap() {
  std::erase_if(jobs_, [](const std::unique_ptr<Job>& job) {
    if (!job->ended) return false;
    job->thread.join();
    return true;
  });
}

}  // namespace trunkline
