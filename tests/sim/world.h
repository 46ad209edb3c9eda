#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "tests/sim/checkers/memory.h"
#include "tests/sim/client.h"
#include "tests/sim/context.h"
#include "tests/sim/network.h"
#include "tests/sim/pilot.h"
#include "tests/sim/rings.h"
#include "tests/sim/worker.h"

namespace trunkline::sim {

struct WorldPlan {
  uint64_t seed = 1;
  size_t shards = 1;
  size_t ring_capacity = 16;
  uint64_t link_budget_bytes = 4u << 20;
  uint32_t emit_quantum_bytes = 64 * 1024;
  uint64_t memory_budget_bytes = 0;  // of all workers together; 0: no limit
  bool trace = false;
};

// How the router is told to treat a connection, and how it is connected.
struct PeerPlan {
  ClientPlan client;
  size_t wire_bytes = 64 * 1024;  // that are under way in each direction
  uint32_t max_frame_size = 16384;
  uint32_t session_window_bytes = 1u << 20;
  bool strip_in = true;
  bool strip_out = true;
};

// One client and the connection it has.
struct Peer {
  PeerPlan plan;
  std::unique_ptr<Wire> wire;
  std::unique_ptr<Client> client;
};

// A router of some shards and its clients, in one thread and in virtual time. Nothing happens by
// itself: a test, or a random run, says whose turn it is.
class World {
 public:
  explicit World(WorldPlan plan);

  Peer& Connect(PeerPlan plan);

  // --- one step of somebody
  void TurnWorker(core::ShardId id, bool quiet = false);
  void TurnPilot(bool all) { pilot_.Step(all); }
  bool TurnClient(Peer& peer, Mood mood) { return peer.client->Step(mood); }
  void Pass(Duration duration) { context_.now = context_.now + duration; }
  // The wire of a client is cut, at any byte. The router sees the end of the stream or, as it
  // writes, an error.
  void Cut(Peer& peer);

  // Runs everybody, clients in `mood`, in turns, until nothing happens any more and no deadline is
  // left. A worker runs only when it has a reason to, as it would otherwise sleep.
  void Rest(Mood mood = Mood::kCalm);
  // Likewise, until `done`. False if it comes to rest before.
  bool RunUntil(const std::function<bool()>& done, Mood mood = Mood::kCalm);

  // --- checks at rest
  void CheckAtRest();
  // All clients are gone: nothing is left.
  void CheckEmpty();
  // The router is stopped, whatever it is doing: every worker hangs up, mail that did not arrive is
  // dropped, memory goes home. Pools check that they got all of it back.
  void End();

  Context& context() { return context_; }
  std::deque<Peer>& peers() { return peers_; }
  size_t shards() const { return workers_.size(); }
  Worker& worker(size_t id) { return *workers_[id]; }
  Rings& rings() { return rings_; }
  Pilot& pilot() { return pilot_; }

 private:
  bool Round(Mood mood);
  bool TidyUp();
  bool SkipTime(Time limit);
  uint64_t Progress() const;
  uint64_t Outcomes() const;
  void CheckMemory(Worker& worker);
  void CheckTables();

  Context context_;
  const WorldPlan plan_;
  std::vector<Desk> desks_;
  Rings rings_;
  MemoryBudget budget_;
  Pilot pilot_;
  std::deque<Peer> peers_;  // before the workers: their drivers write to the wires
  std::vector<std::unique_ptr<Worker>> workers_;
  Memory memory_{context_.verdict};
  // While it comes to rest: Progress when it last waited for a deadline.
  std::optional<uint64_t> waited_at_;
};

}  // namespace trunkline::sim
