#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace trunkline::api {

// An immutable value that control replaces as a whole and gRPC's threads look at. Any thread.
template <typename T>
class Published {
 public:
  explicit Published(T value) { Set(std::move(value)); }

  std::shared_ptr<const T> Get() const {
    std::lock_guard lock(mutex_);
    return value_;
  }

  void Set(T value) {
    auto next = std::make_shared<const T>(std::move(value));
    std::lock_guard lock(mutex_);
    value_.swap(next);  // the old one is freed behind the lock, by its last reader
  }

 private:
  mutable std::mutex mutex_;  // of what follows
  std::shared_ptr<const T> value_;
};

}  // namespace trunkline::api
