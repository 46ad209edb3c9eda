#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "router/base/memory_budget.h"
#include "router/conn/driver.h"
#include "router/conn/workspace.h"
#include "router/core/shard.h"
#include "tests/sim/context.h"
#include "tests/sim/network.h"
#include "tests/sim/pilot.h"
#include "tests/sim/rings.h"

namespace trunkline::sim {

struct WorkerPlan {
  core::ShardId id = 0;
  uint64_t seed = 0;
  uint64_t link_budget_bytes = 4u << 20;
  uint32_t emit_quantum_bytes = 64 * 1024;
  MemoryBudget* budget = nullptr;  // of the process; outlives the worker
};

// What a worker of the router is, without its thread, sockets and clock: the production shard, pool
// and drivers, and the turn. It sleeps like the production one: only what is touched is flushed,
// and it has to run only when HasReason says so, so that a lost wake-up shows.
class Worker {
 public:
  Worker(Context& context, WorkerPlan plan, Desk& desk, Rings& rings, const View* first);

  // A connection from a client, over `wire`, which outlives this.
  void Take(Wire& wire, const conn::DriverOptions& options);

  // One turn. `quiet`: it reads and takes all there is, instead of random shares of it.
  void Turn(const Pilot& pilot, bool quiet);
  bool HasReason() const;
  // An operator disables a link, or enables it: mail of the next turn.
  void Switch(uint64_t link, bool disable) { switches_.emplace_back(link, disable); }
  // When it has to run though nothing comes.
  Time Deadline() const;

  core::Shard& shard() { return shard_; }
  const core::Shard& shard() const { return shard_; }
  BlockPool& pool() { return pool_; }
  uint64_t version() const { return view_->version; }
  const WorkerPlan& plan() const { return plan_; }
  size_t parked() const;                     // mail that did not fit into its ring
  uint64_t mails() const { return mails_; }  // from other shards, so far
  size_t connections() const;
  // Memory of a quiet time goes back; that of other shards, by mail.
  void Trim();
  // Hangs up on everybody: the end of its thread.
  void Stop();

 private:
  // A connection as the worker knows it.
  struct Port {
    Wire* wire = nullptr;
    std::unique_ptr<conn::Driver> driver;  // null: gone
    Time deadline = kNever;
    conn::Phase phase = conn::Phase::kHandshake;
    bool input_ended = false;
    bool broken = false;
    bool blocked = false;   // the wire took less than was offered
    bool in_flush = false;  // something may have to be written
  };

  bool IsReadable(const Port& port) const;
  bool Read(Port& port, bool quiet);
  void Adopt(const Pilot& pilot);
  void TakeMail(bool quiet);
  void Flush(Port& port);
  void Post();
  void FollowBudget();
  void ChargeBudget();

  Context& context_;
  const WorkerPlan plan_;
  Desk& desk_;
  Rings& rings_;
  BlockPool pool_;
  conn::Workspace workspace_;
  core::Shard shard_;
  std::vector<Port> ports_;  // by tag
  std::vector<std::pair<uint64_t, bool>> switches_;
  const View* view_;
  uint64_t mails_ = 0;
  bool work_left_ = false;
  bool pressed_ = false;  // as the shard was told
  uint64_t charged_ = 0;  // to the budget
};

}  // namespace trunkline::sim
