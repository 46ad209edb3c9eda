#include "router/net/mailbox.h"

#include <utility>

namespace trunkline::net {

void Mailbox::Post(Mail mail) {
  parked_.push_back(std::move(mail));
  Forward();
}

void Mailbox::Forward() {
  bool pushed = false;
  while (!parked_.empty()) {
    if (!ring_.TryPush(std::move(parked_.front()))) {
      // Room that is made from here on is told; room that was made until here is found.
      room_wanted_.exchange(true);
      if (!ring_.TryPush(std::move(parked_.front()))) break;
    }
    parked_.pop_front();
    pushed = true;
  }
  if (pushed) worker_.Wake();
}

const View* Mailbox::Publish(const View* view) {
  const View* unread = view_.exchange(view);
  worker_.Wake();
  return unread;
}

Mailbox::Drained Mailbox::Drain(size_t max, absl::FunctionRef<void(Mail&&)> accept) {
  Drained drained;
  Mail mail;
  while (drained.count < max && ring_.TryPop(mail)) {
    ++drained.count;
    accept(std::move(mail));
  }
  if (drained.count > 0) drained.room_wanted = room_wanted_.exchange(false);
  return drained;
}

const View* Mailbox::TakeView() {
  if (view_.load(std::memory_order_relaxed) == nullptr) return nullptr;
  return view_.exchange(nullptr);
}

bool Mailbox::HasMail() const { return view_.load() != nullptr || !ring_.Empty(); }

}  // namespace trunkline::net
