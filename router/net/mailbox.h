#pragma once

#include <atomic>
#include <cstdint>
#include <deque>

#include "absl/functional/function_ref.h"
#include "router/base/spsc_ring.h"
#include "router/net/mail.h"
#include "router/net/poller.h"
#include "router/net/view.h"

namespace trunkline::net {

// What the pilot puts down for one worker: mail, in order, and the newest View. Neither side ever
// blocks.
//
// Bound: kRing pieces of mail are in flight. What the pilot posts beyond is parked on its side, in
// order and never dropped: it is bounded by what control asked for, by the consumers that attach in
// one turn and by the descriptors there are. When the worker has made room it says so (Drain), and
// the pilot calls Forward.
//
// Owned by the Worker. Thread: pilot or worker, as said below.
class Mailbox {
 public:
  static constexpr size_t kRing = 256;

  // `worker` is the poller in which the worker sleeps.
  explicit Mailbox(Poller& worker) : worker_(worker), ring_(kRing) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // --- pilot's side
  void Post(Mail mail);
  // Parked mail goes on, as far as there is room.
  void Forward();
  // Puts `view` into the slot. Returns the one that was there and will never be read, or null.
  [[nodiscard]] const View* Publish(const View* view);

  // --- worker's side
  struct Drained {
    size_t count = 0;
    bool room_wanted = false;  // tell the pilot to call Forward
  };
  Drained Drain(size_t max, absl::FunctionRef<void(Mail&&)> accept);
  // The newest View that was not taken before, or null.
  const View* TakeView();
  // Whether something was put down: the look before going to sleep.
  bool HasMail() const;

 private:
  Poller& worker_;
  SpscRing<Mail> ring_;
  std::atomic<const View*> view_{nullptr};
  // Set by the pilot when it parks, cleared by the worker when it has taken mail. As with the
  // sleeping flag, both exchange it, so room is never overlooked.
  std::atomic<bool> room_wanted_{false};
  std::deque<Mail> parked_;  // pilot's
};

}  // namespace trunkline::net
