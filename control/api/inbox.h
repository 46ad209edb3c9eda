#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace trunkline::api {

// Functions that other threads want to have run on control, in order. As many as there are calls
// under way, four for each at most: the limits of calls are its bound.
class Inbox {
 public:
  using Function = std::function<void()>;

  // `wake` is called by any thread when there is something to take.
  explicit Inbox(Function wake) : wake_(std::move(wake)) {}

  // False: it is closed, and the function was not taken. Any thread.
  bool Push(Function function) {
    {
      std::lock_guard lock(mutex_);
      if (closed_) return false;
      functions_.push_back(std::move(function));
      if (functions_.size() > 1) return true;  // control is awake, or about to be
    }
    wake_();
    return true;
  }

  // What has been pushed. Thread: control.
  std::vector<Function> Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(functions_, {});
  }

  // Takes nothing more; what is there can still be taken. Thread: control.
  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }

 private:
  const Function wake_;
  std::mutex mutex_;  // of what follows
  std::vector<Function> functions_;
  bool closed_ = false;
};

}  // namespace trunkline::api
