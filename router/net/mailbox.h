#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "router/core/envelope.h"
#include "router/core/ids.h"
#include "router/net/channel.h"
#include "router/net/mail.h"
#include "router/net/poller.h"
#include "router/net/view.h"

namespace trunkline::net {

// The inbox of one worker: mail of the pilot and of the other workers, each in its order, and the
// newest View. Nobody ever blocks.
//
// A sender's mail is told by its bit in the dirty word, so the worker looks at one word before it
// sleeps, and drains only channels that have something. A sender whose mail had to be parked is
// told of room by a bit of the same kind in its own dirty word (a worker) or in a report (the
// pilot).
//
// Bound: Channel::kRing pieces of mail per sender are in flight. What a worker parks beyond is
// bounded by what its producers may send (session windows, link budgets, credit); what the pilot
// parks, by what control asked for, by the consumers that attach in one turn and by the descriptors
// there are.
//
// Owned by the Worker. Thread: as said below.
class Mailbox {
 public:
  static constexpr size_t kRing = Channel<Mail>::kRing;
  static constexpr size_t kWorkersMax = core::kShardsMax;

  // `owner` is the poller in which the worker sleeps; `workers` is how many there are.
  Mailbox(Poller& owner, size_t workers);
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // --- pilot's side
  void Post(Mail mail);
  // Parked mail goes on, as far as there is room.
  void Forward();
  // Puts `view` into the slot. Returns the one that was there and will never be read, or null.
  [[nodiscard]] const View* Publish(const View* view);

  // --- side of worker `from`
  struct Posted {
    size_t sent = 0;
    bool woke = false;  // the owner slept
  };
  // Takes all of `mail` and leaves it empty.
  Posted Post(core::ShardId from, std::vector<core::Envelope>& mail);
  // Parked mail goes on, as far as there is room.
  Posted Forward(core::ShardId from);
  size_t parked(core::ShardId from) const { return shards_[from].parked(); }
  // Of the mail that the owner has parked for `from`, some may go on.
  void TellRoom(core::ShardId from) { Tell(uint64_t{1} << (kRoomShift + from)); }
  // A turn is wanted for its own sake. Any thread.
  void Nudge() { Tell(kNudgeBit); }

  // --- owner's side
  struct Drained {
    size_t count = 0;          // of mail of workers
    bool left = false;         // there is more: do not sleep
    bool room_wanted = false;  // tell the pilot to call Forward
    uint32_t tell_room = 0;    // workers to be told of room, by bit
    uint32_t room_at = 0;      // workers that have room for what is parked here, by bit
  };
  // At most so many of the pilot, and of each worker. Which of those comes first changes from call
  // to call.
  Drained Drain(size_t pilot_max, size_t worker_max, absl::FunctionRef<void(Mail&&)> accept,
                absl::FunctionRef<void(core::ShardId, core::Envelope&&)> accept_shard);
  // The newest View that was not taken before, or null.
  const View* TakeView();
  // Whether something was put down: the look before going to sleep.
  bool HasMail() const { return left_ != 0 || dirty_.load() != 0 || view_.load() != nullptr; }

  // --- the end, when no thread runs any more: all that workers sent goes to `take`.
  void Clear(absl::FunctionRef<void(core::Envelope&&)> take);

 private:
  // Bits of the dirty word: mail of each worker, mail of the pilot, a nudge, room at each worker.
  static constexpr uint64_t kShardBits = (uint64_t{1} << kWorkersMax) - 1;
  static constexpr uint64_t kPilotBit = uint64_t{1} << 16;
  static constexpr uint64_t kNudgeBit = uint64_t{1} << 17;
  static constexpr int kRoomShift = 32;
  static_assert(kShardBits < kPilotBit && kRoomShift + kWorkersMax <= 64);

  // Call after the thing was put down. True if that woke the owner.
  bool Tell(uint64_t bits);

  Poller& owner_;
  const size_t workers_;
  uint64_t left_ = 0;        // owner's: senders of whom there is more, by bit
  core::ShardId first_ = 0;  // owner's: whose mail comes first
  Channel<Mail> pilot_;
  const std::unique_ptr<Channel<core::Envelope>[]> shards_;  // by sender
  alignas(64) std::atomic<uint64_t> dirty_{0};
  std::atomic<const View*> view_{nullptr};
};

}  // namespace trunkline::net
