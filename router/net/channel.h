#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "router/base/spsc_ring.h"

namespace trunkline::net {

// Mail of one sender to one receiver, in order. Neither side ever blocks or spins.
//
// Bound: kRing pieces of mail are in flight. What is sent beyond is parked on the sender's side, in
// order and never dropped: the sender's own limits bound it (Mailbox says which). When the receiver
// has made room it says so (Drain), and the sender calls Forward.
//
// The ring is allocated when the first mail is sent. That something was sent has to be told apart,
// after the call: pushes are ordered for a receiver that was told, not for one that looks by
// itself.
//
// Thread: sender or receiver, as said below; construction, destruction and Clear when both are
// done.
template <typename T>
class Channel {
 public:
  static constexpr size_t kRing = 1024;

  Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() { delete ring_.load(std::memory_order_relaxed); }

  // --- sender
  // True if it is on its way: the receiver has to be told. False: parked.
  bool Send(T&& mail) {
    if (parked_ == nullptr) {
      if (Push(mail)) return true;
      parked_ = std::make_unique<std::deque<T>>();
    }
    parked_->push_back(std::move(mail));
    return false;
  }
  // Parked mail goes on, as far as there is room. True if any did.
  bool Forward() {
    if (parked_ == nullptr) return false;
    bool any = false;
    while (!parked_->empty() && Push(parked_->front())) {
      parked_->pop_front();
      any = true;
    }
    if (parked_->empty()) parked_.reset();
    return any;
  }
  size_t parked() const { return parked_ == nullptr ? 0 : parked_->size(); }

  // --- receiver
  struct Drained {
    size_t count = 0;
    bool left = false;         // the ring holds more than was asked for
    bool room_wanted = false;  // tell the sender to call Forward
  };
  // Gives at most `max` to `accept`.
  template <typename Accept>
  Drained Drain(size_t max, Accept accept) {
    Drained drained;
    SpscRing<T>* ring = ring_.load(std::memory_order_acquire);
    if (ring == nullptr) return drained;
    for (T* mail = ring->Front(); mail != nullptr; mail = ring->Front()) {
      if (drained.count == max) {
        drained.left = true;
        break;
      }
      ++drained.count;
      accept(std::move(*mail));
      ring->Pop();
    }
    if (drained.count > 0) drained.room_wanted = room_wanted_.exchange(false);
    return drained;
  }

  // --- the end: gives all there is, parked mail too, to `take`.
  template <typename Take>
  void Clear(Take take) {
    Drain(SIZE_MAX, take);
    if (parked_ == nullptr) return;
    for (T& mail : *parked_) take(std::move(mail));
    parked_.reset();
  }

 private:
  bool Push(T& mail) {
    SpscRing<T>* ring = ring_.load(std::memory_order_relaxed);
    if (ring == nullptr) [[unlikely]] {
      ring = new SpscRing<T>(kRing);
      ring_.store(ring, std::memory_order_release);
    }
    if (ring->TryPushUnannounced(std::move(mail))) return true;
    // Room that is made from here on is told; room that was made until here is found.
    room_wanted_.exchange(true);
    return ring->TryPushUnannounced(std::move(mail));
  }

  std::atomic<SpscRing<T>*> ring_{nullptr};  // owned; set once by the sender
  // Set by the sender when it parks, cleared by the receiver when it has taken mail. Both exchange
  // it, so that room is never overlooked.
  std::atomic<bool> room_wanted_{false};
  std::unique_ptr<std::deque<T>> parked_;  // sender's; null: nothing is
};

}  // namespace trunkline::net
