#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "router/conn/authenticator.h"
#include "router/core/ids.h"
#include "router/net/login_limit.h"

namespace trunkline::net {

// Threads for the steps of SASL mechanisms: some hash for milliseconds or read files, which no
// worker may. An exchange is one object that goes along with its step and comes back with the
// answer, so it is on one thread at a time.
//
// Steps that ask a server elsewhere, which may not answer for half a minute, wait in a queue of
// their own and are worked on one at a time: the other thread is there for all others.
//
// Bound: kQueueMax steps wait, kDistantMax in the other queue; a step beyond is refused. An address
// with too many failed logins (LoginLimit) is refused before anything is hashed for it. Each step
// is answered exactly once, whatever becomes of its connection.
//
// Owned by the Pilot. Thread: Desk and counters any; Start and Stop the owner's. The one mutex
// guards the queue and the limit; nobody works, logs or answers with it.
class AuthPool {
 public:
  static constexpr size_t kThreads = 2;
  static constexpr size_t kQueueMax = 16384;  // all clients of a router may come back at once
  static constexpr size_t kDistantMax = 256;

  // Takes the answer to a step of worker `shard`. Any thread; must not block.
  using Reply = std::function<void(core::ShardId shard, conn::AuthAnswer answer)>;

  AuthPool(size_t workers, Reply reply);
  ~AuthPool();
  AuthPool(const AuthPool&) = delete;
  AuthPool& operator=(const AuthPool&) = delete;

  void Start();
  // Joins the threads. Steps that wait are dropped.
  void Stop();

  // Where a worker puts its steps.
  conn::Authenticator& Desk(core::ShardId shard) { return *desks_[shard]; }

  struct Counters {
    uint64_t steps = 0;
    uint64_t refused_full = 0;
    uint64_t refused_failures = 0;
  };
  Counters counters() const;

 private:
  class WorkerDesk;
  struct Task {
    core::ShardId shard = 0;
    Time now;
    conn::AuthStep step;
  };

  void Post(Task task);
  void Failed(const std::string& address, Time now);
  void Run();
  bool Next(Task& task, bool& refused);
  bool IsDistantDue() const { return !distant_.empty() && !asking_; }
  void Asked();
  void Work(Task task);
  void Answer(Task task, conn::AuthAnswer::Refusal refusal, sasl::Answer answer);

  const Reply reply_;
  std::vector<std::unique_ptr<conn::Authenticator>> desks_;
  mutable std::mutex mutex_;  // of what follows, but the threads
  std::condition_variable changed_;
  std::deque<Task> queue_;
  std::deque<Task> distant_;
  bool asking_ = false;  // a thread works on one of them
  LoginLimit limit_;
  Counters counters_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace trunkline::net
