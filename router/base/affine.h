#pragma once

#include <atomic>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "router/base/check.h"

namespace trunkline {

// "This thread owns it", as a capability: fields are ABSL_GUARDED_BY(thread_), methods call
// Assert(). Clang then warns about an access without Assert(); debug builds check it at run time as
// well. Bound to the first thread that asserts; Rebind() hands an idle object to another thread.
class ABSL_LOCKABLE ThreadAffine {
 public:
  void Assert() const ABSL_ASSERT_EXCLUSIVE_LOCK() {
#ifndef NDEBUG
    std::thread::id none{};
    const std::thread::id me = std::this_thread::get_id();
    if (!owner_.compare_exchange_strong(none, me)) TL_CHECK(none == me) << "wrong thread";
#endif
  }

  void Rebind() {
#ifndef NDEBUG
    owner_.store(std::thread::id{});
#endif
  }

 private:
#ifndef NDEBUG
  mutable std::atomic<std::thread::id> owner_{};
#endif
};

}  // namespace trunkline
