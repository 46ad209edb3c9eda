#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "router/base/counter.h"
#include "router/conn/workspace.h"
#include "router/core/shard.h"
#include "router/net/login_log.h"
#include "router/net/longest.h"
#include "router/net/mailbox.h"
#include "router/net/observation.h"
#include "router/net/poller.h"
#include "router/net/socket.h"

namespace trunkline {
class MemoryBudget;
}

namespace trunkline::net {

struct WorkerOptions {
  core::ShardId id = 0;
  core::LocalIdentity identity;
  std::string version;  // told to peers in open
  uint64_t seed = 0;
  size_t workers = 1;                            // of the router
  MemoryBudget* budget = nullptr;                // of the process; outlives the worker
  conn::Authenticator* authenticator = nullptr;  // likewise
  // Takes what a turn has for the pilot, on the worker's thread; must not block.
  std::function<void(std::vector<Report>)> report;
};

// Of one worker: written by it, read by anyone.
struct WorkerCounters {
  Counter connections;  // taken in
  Counter connections_gone;
  Counter sockets_closed;   // some time after they are gone: their descriptors are free again
  Counter sockets_visited;  // by walks over all of them, which make turns long
  core::Gauge unsettled;    // deliveries that are not finished, at the end of the last turn
  Counter bytes_read;       // from sockets
  Counter bytes_written;
  Counter mails_sent;      // to other workers
  Counter mails_parked;    // of those, for which there was no room at first
  Counter mails_received;  // from other workers
  Counter wakes;           // times that mail woke another worker
  Counter turns;
  Longest longest_turn;
  Counter busy_ns;  // of all turns
  // When the turn that is under way began; kNever: there is none.
  std::atomic<int64_t> turn_began_ns{kNever.ns};
  Histogram<core::ForwardScale> turn_duration;  // for so long others wait
};

// A thread with its sockets, their drivers and its shard: the data plane. Everything that happens,
// happens in Turn; nothing in a callback of a socket. It knows the world by one View, the other
// workers by their mailboxes, and the rest of the process by its own and the reports it gives.
//
// Owned by the Pilot. Thread: its own; constructor, Meet, Start, Stop, End, the others' sides of
// the mailbox and the counters are for others.
class Worker {
 public:
  // `first` is the View to begin with.
  Worker(WorkerOptions options, const View* first);
  // Stops.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // The mailboxes of all workers in their order, its own among them; they outlive its thread.
  void Meet(std::vector<Mailbox*> peers) { peers_ = std::move(peers); }
  void Start();
  // Has the thread hang up on everybody and end.
  void AskToStop();
  // Does that and joins the thread.
  void Stop();
  // The end of all that workers hold of each other: mail under way, payload of each other's blocks.
  // REQUIRES: all are stopped, and none has been destroyed.
  static void End(absl::Span<const std::unique_ptr<Worker>> workers);

  core::ShardId id() const { return options_.id; }
  Mailbox& mailbox() { return mailbox_; }
  const WorkerCounters& counters() const { return counters_; }
  void RestartLongestTurn() { counters_.longest_turn.Restart(); }
  const core::ShardStats& shard_stats() const { return shard_->stats(); }
  const conn::ConnStats& conn_stats() const { return workspace_.stats; }

 private:
  // What one turn does at most; the rest is done in the next, without sleeping.
  static constexpr size_t kEventQuantum = 256;  // told by epoll
  static constexpr size_t kSocketQuantum = 64;  // read
  static constexpr size_t kMoreMin = 16;        // of these, such as were read before
  // Bytes read, shared out to the sockets that have any: one busy peer does not starve the others,
  // and many do not make the turn long.
  static constexpr size_t kReadPerTurn = 1 << 20;
  // Memory that the system has to provide first makes reading slow.
  static constexpr Duration kReadTime = Milliseconds(1);
  static constexpr size_t kReadQuantumMin = 16 * 1024;
  static constexpr size_t kReadQuantumMax = 256 * 1024;
  static constexpr size_t kMailQuantum = 1024;  // of each worker
  static constexpr size_t kPilotMailQuantum = 16;
  // Setting connections up, TLS handshakes, taking connections down: each takes long, and there can
  // be thousands at once. One is always done, so this is not the most.
  static constexpr Duration kChoreTime{100'000};
  // Looking at connections and links for those who asked.
  static constexpr Duration kLookTime{100'000};
  // A peer that does not end its side after we ended ours.
  static constexpr Duration kLingerTime = Seconds(2);
  // Memory goes back to the system when less than this was read in one interval.
  static constexpr Duration kUpkeepInterval = Seconds(1);
  static constexpr uint64_t kQuietBytes = 4u << 20;
  static constexpr uint64_t kTrimSockets = 64;  // closed since the last time
  static constexpr Duration kTrimInterval = Seconds(5);
  // After a crowd. What other threads still have of it, as steps of logins that wait for their
  // turn, is freed later than the last socket.
  static constexpr int kTrims = 3;

  void Run();
  void Turn(absl::Span<const epoll_event> events, Time now);
  Duration Patience() const;

  // Steps of a turn. `now` of Flush, as of Shard::Emit, is later than that of the others.
  // Connections that are open go first; what others need is a chore.
  void Read(absl::Span<const epoll_event> events);
  void AdoptNewestView();
  void Parse(Time now);
  void TakeMail(Time now);
  void Expire(uint64_t cookie, Time now);
  void PostMail();
  void Flush(Time now);
  void Chores();
  void LookAround();
  void Tell();
  void ChargeBudget();

  // Mail.
  void FollowBudget();
  void ForwardMail(const Mailbox::Drained& drained);
  void Take(const CloseLink& close);
  void Take(const SwitchLink& mail);
  void Take(const CloseConnection& close, Time now);
  void Take(const CloseAll& close, Time now);
  void TakeQuiesce();
  void Take(Authenticated&& mail, Time now);

  // Who wants to see frames sees those of the connections that are wanted, from here on. `before`:
  // what was wanted by the View that was left; null: nothing.
  void FollowFrameWishes(const conn::FrameWishes* before);
  void FollowFrameWishes(Socket& socket);

  // The socket of a connection; null: it is not set up, or gone.
  Socket* Find(uint64_t connection);
  // What the shard has of it; null: it is not open.
  const core::Connection* FindInShard(uint64_t connection);
  // For what concerns all of them.
  template <typename Visit>
  void ForEachSocket(Visit visit) {
    counters_.sockets_visited.Add(sockets_.size());
    sockets_.ForEach(visit);
  }

  void SetUp(NewConnection&& connection, Time now);
  const TlsInForce* TlsOf(const Socket& socket) const;
  void UseNewestTls(Socket& socket) const;
  conn::DriverOptions OptionsFor(const Socket& socket, uint64_t tag) const;
  void AddRead(std::deque<Handle<Socket>>& list, Handle<Socket> handle, Socket& socket);
  void ReadNext(std::deque<Handle<Socket>>& list, size_t quantum);
  bool ReadSocket(Socket& socket, size_t quantum);
  void Serve(Handle<Socket> handle, Time now);
  void CloseSocket(Handle<Socket> handle, Socket& socket, const amqp::Condition& error, Time now);
  void Enlist(Handle<Socket> handle, Socket& socket);
  void AddChore(Handle<Socket> handle, Socket& socket);
  void FlushSocket(Handle<Socket> handle, Socket& socket, Time now);
  void NotePhase(Handle<Socket> handle, Socket& socket, Time now);
  void Arm(Handle<Socket> handle, Socket& socket, Time deadline);
  void Finish(Handle<Socket> handle, Socket& socket, Time now);
  void ReportGone(const Socket& socket, std::string error);
  void Erase(Handle<Socket> handle, Socket& socket);
  void PlanUpkeep();
  void Upkeep(Time now);
  void TrimAll(Time now);

  const WorkerOptions options_;
  WorkerCounters counters_;
  std::atomic<bool> stop_{false};
  Poller poller_;
  Mailbox mailbox_;
  std::vector<Mailbox*> peers_;

  BlockPool pool_;
  conn::Workspace workspace_{pool_};
  std::optional<core::Shard> shard_;  // made when its options are
  SlotMap<Socket> sockets_;
  absl::flat_hash_map<uint64_t, Handle<Socket>> handles_;  // of all sockets, by their ids
  TimerWheel timers_;
  const View* view_;

  // Of a turn. Handles in the lists may have gone stale.
  // To be read, each list in turn. A socket whose last read brought much or left something makes
  // way for the others: who sends at full speed does not hold up who sends little.
  std::deque<Handle<Socket>> fresh_;
  std::deque<Handle<Socket>> more_;
  std::vector<Handle<Socket>> parse_;
  std::vector<Handle<Socket>> flush_;
  std::vector<Handle<Socket>> flushing_;
  std::vector<uint64_t> touched_;
  std::vector<Report> reports_;
  LoginLog login_log_;
  std::deque<NewConnection> arrivals_;  // not set up yet
  std::deque<Handle<Socket>> chores_;   // not open, or not any more
  Observer observer_{options_.id};
  bool work_left_ = false;
  Time now_;  // as last read

  uint64_t charged_ = 0;  // to the budget
  bool pressed_ = false;  // what the shard was told about it
  bool quiesced_ = false;
  amqp::Condition closing_;  // CloseAll was mailed: nobody comes in any more

  TimerWheel::Id upkeep_ = 0;
  uint64_t bytes_read_ = 0;  // since the last Upkeep
  uint64_t closed_at_trim_ = 0;
  Time trimmed_at_;
  int trims_due_ = 0;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace trunkline::net
