#include "tests/sim/world.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/core/address.h"

namespace trunkline::sim {
namespace {

// More rounds than any run needs.
constexpr int kRoundsMax = 100'000;
// Virtual time in which everything has to come to rest.
constexpr Duration kRestTime = Seconds(10);

size_t TargetsOf(const core::Route& route, size_t shard) {
  return shard < route.local.size() ? route.local[shard].size() : 0;
}

}  // namespace

World::World(WorldPlan plan)
    : context_(plan.seed, plan.trace),
      plan_(plan),
      desks_(plan.shards),
      rings_(plan.shards, plan.ring_capacity),
      budget_(plan.memory_budget_bytes),
      pilot_(context_, desks_, plan.seed) {
  for (size_t i = 0; i < plan.shards; ++i) {
    workers_.push_back(
        std::make_unique<Worker>(context_,
                                 WorkerPlan{.id = static_cast<core::ShardId>(i),
                                            .seed = context_.random.Next(),
                                            .link_budget_bytes = plan.link_budget_bytes,
                                            .emit_quantum_bytes = plan.emit_quantum_bytes,
                                            .budget = &budget_},
                                 desks_[i], rings_, pilot_.first()));
  }
}

Peer& World::Connect(PeerPlan plan) {
  Peer& peer = peers_.emplace_back();
  peer.plan = plan;
  peer.wire = std::make_unique<Wire>(plan.wire_bytes);
  peer.client = std::make_unique<Client>(context_, *peer.wire, plan.client);
  context_.journal.Note(context_.now.ns, [&] {
    return absl::StrCat("client at shard ", plan.client.shard, ", window ",
                        plan.session_window_bytes, ", frames ", plan.max_frame_size);
  });
  conn::DriverOptions options;
  options.router_id = "R";
  options.max_frame_size = plan.max_frame_size;
  options.session_window_bytes = plan.session_window_bytes;
  options.info.link_capacity = plan.client.link_capacity;
  options.info.max_message_size = plan.client.max_message_size;
  options.info.session_window_bytes = plan.session_window_bytes;
  options.info.strip_inbound_annotations = plan.strip_in;
  options.info.strip_outbound_annotations = plan.strip_out;
  workers_[plan.client.shard]->Take(*peer.wire, options);
  return peer;
}

void World::TurnWorker(core::ShardId id, bool quiet) {
  workers_[id]->Turn(pilot_, quiet);
  CheckMemory(*workers_[id]);
}

void World::Cut(Peer& peer) {
  peer.wire->to_router.Cut(context_.random);
  peer.wire->to_client.Cut(context_.random);
  peer.wire->broken = context_.Chance(50);
  peer.client->Vanish();
}

// --- to rest

void World::Rest(Mood mood) {
  RunUntil([] { return false; }, mood);
}

bool World::RunUntil(const std::function<bool()>& done, Mood mood) {
  const Time limit = context_.now + kRestTime;
  for (int rounds = 0; rounds < kRoundsMax; ++rounds) {
    if (done()) return true;
    if (Round(mood) || TidyUp()) continue;
    if (waited_at_.has_value() && *waited_at_ != Progress()) {
      context_.verdict.Fail("rest", "deliveries waited until a deadline for what did not come");
    }
    waited_at_.reset();
    if (!SkipTime(limit)) return done();
  }
  context_.verdict.Fail("rest", "it never comes to rest");
  return false;
}

// Everybody once, in random order. True if anybody did anything.
bool World::Round(Mood mood) {
  const size_t actors = peers_.size() + workers_.size() + 1;
  const size_t first = context_.random.Below(actors);
  bool acted = false;
  for (size_t i = 0; i < actors; ++i) {
    const size_t actor = (first + i) % actors;
    if (actor < peers_.size()) {
      acted |= TurnClient(peers_[actor], mood);
    } else if (actor < peers_.size() + workers_.size()) {
      const size_t id = actor - peers_.size();
      if (!workers_[id]->HasReason()) continue;
      TurnWorker(static_cast<core::ShardId>(id), context_.Chance(70));
      acted = true;
    } else if (pilot_.HasWork()) {
      pilot_.Step(context_.Chance(70));
      acted = true;
    }
  }
  return acted;
}

// What workers do when it is quiet, where that may help: memory that they keep goes back. True if
// it did.
bool World::TidyUp() {
  if (!budget_.pressed()) return false;
  const uint64_t used = budget_.used();
  for (const auto& worker : workers_) worker->Trim();
  for (size_t i = 0; i < 2 * workers_.size(); ++i) {
    TurnWorker(static_cast<core::ShardId>(i % workers_.size()), true);
  }
  return budget_.used() < used;
}

// On to the next deadline; false if there is none before `limit`.
bool World::SkipTime(Time limit) {
  Time next = kNever;
  for (const auto& worker : workers_) next = std::min(next, worker->Deadline());
  if (next == kNever) return false;
  if (next > limit) {
    context_.verdict.Fail("rest", "something waits for a time that does not come");
    return false;
  }
  context_.now = std::max(context_.now, next);
  waited_at_ = Progress();
  return true;
}

// That producers were given by all shards.
uint64_t World::Outcomes() const {
  uint64_t outcomes = 0;
  for (const auto& worker : workers_) {
    const core::ShardStats& stats = worker->shard().stats();
    for (const Counter* counter :
         {&stats.accepted, &stats.rejected, &stats.released, &stats.modified}) {
      outcomes += counter->Get();
    }
  }
  return outcomes;
}

// Changes with every delivery that begins, leaves or gets its outcome.
uint64_t World::Progress() const {
  uint64_t progress = 0;
  for (const auto& worker : workers_) {
    const core::ShardStats& stats = worker->shard().stats();
    for (const Counter* counter :
         {&stats.deliveries_in, &stats.deliveries_out, &stats.accepted, &stats.rejected,
          &stats.released, &stats.modified, &stats.dropped_presettled}) {
      progress += counter->Get();
    }
  }
  return progress;
}

// --- checks

void World::CheckMemory(Worker& worker) {
  Memory::Allowance allowance;
  for (const Peer& peer : peers_) {
    if (peer.plan.client.shard != worker.plan().id) continue;
    ++allowance.connections;
    allowance.sessions += peer.plan.client.sessions;
    allowance.window_bytes += peer.plan.client.sessions * peer.plan.session_window_bytes;
    allowance.credit += peer.client->senders().size() * peer.plan.client.link_capacity;
  }
  memory_.OnTurn(worker, allowance);
}

void World::CheckAtRest() {
  if (budget_.pressed()) {
    context_.verdict.Fail("memory", absl::StrCat("the process keeps ", budget_.used(), " bytes"));
  }
  context_.checkers.conservation.AtRest();
  context_.checkers.settlement.AtRest();
  context_.checkers.settlement.CountedAtRest(Outcomes());
  for (Peer& peer : peers_) {
    for (Sender& sender : peer.client->senders()) {
      if (sender.sent_oversize() && !peer.client->over()) {
        context_.verdict.Fail("limits", absl::StrCat("producer ", sender.link().id,
                                                     " sent too much, its client is still there"));
      }
      if (sender.over()) continue;
      const ProducerLink& link = sender.link();
      const bool reachable = link.address.empty() || context_.ledger.HasConsumer(link.address);
      context_.checkers.credit.AtRest(link, sender.credit(), reachable);
    }
    for (Receiver& receiver : peer.client->receivers()) {
      if (!receiver.over() && receiver.draining()) {
        context_.verdict.Fail("drain", absl::StrCat("consumer ", receiver.link().id, " drains"));
      }
      if (!receiver.over() && receiver.waits()) {
        context_.verdict.Fail("settlement", absl::StrCat("consumer ", receiver.link().id,
                                                         " is not told that a producer settled"));
      }
    }
  }
  CheckTables();
}

// The tables in force say who really consumes what.
void World::CheckTables() {
  const core::LocalIdentity me{.router_id = "R"};
  std::map<core::AddressKey, std::vector<size_t>> truth;
  for (const ConsumerLink& consumer : context_.ledger.consumers()) {
    if (!consumer.alive) continue;
    if (!consumer.attached) {
      context_.verdict.Fail("tables", absl::StrCat("consumer ", consumer.id, " is not answered"));
    }
    auto& counts = truth[core::MakeKey(consumer.address, consumer.fallback ? 'F' : '0', me)];
    counts.resize(workers_.size());
    ++counts[consumer.shard];
  }
  if (pilot_.directory().addresses() != truth.size()) {
    context_.verdict.Fail(
        "tables", absl::StrCat(pilot_.directory().addresses(), " addresses, not ", truth.size()));
  }
  for (const auto& [key, counts] : truth) {
    const core::Route* route = pilot_.table().Find(key);
    if (route == nullptr) {
      context_.verdict.Fail("tables", absl::StrCat("no route for ", key));
      continue;
    }
    const core::AddressSetting* setting = pilot_.settings().ForKey(key);
    if (setting != nullptr && route->treatment != setting->treatment) {
      context_.verdict.Fail("tables", absl::StrCat(key, " has another treatment than it should"));
    }
    for (size_t i = 0; i < counts.size(); ++i) {
      const size_t have = TargetsOf(*route, i);
      if (have == counts[i]) continue;
      context_.verdict.Fail("tables", absl::StrCat(key, " has ", have, " targets in shard ", i,
                                                   " instead of ", counts[i]));
    }
  }
  for (const auto& worker : workers_) {
    if (worker->version() == pilot_.newest()) continue;
    context_.verdict.Fail("tables", absl::StrCat("worker ", worker->plan().id, " is behind"));
  }
}

void World::CheckEmpty() {
  for (const auto& worker : workers_) worker->Trim();
  Rest();
  for (const auto& worker : workers_) memory_.AtEnd(*worker);
  if (rings_.mail() > 0) context_.verdict.Fail("leak", absl::StrCat(rings_.mail(), " mails"));
  if (pilot_.live_views() != 1) {
    context_.verdict.Fail("leak", absl::StrCat(pilot_.live_views(), " Views"));
  }
  if (pilot_.directory().consumers() != 0) {
    context_.verdict.Fail("leak", absl::StrCat(pilot_.directory().consumers(), " consumers"));
  }
}

void World::End() {
  for (const auto& worker : workers_) worker->Stop();
  for (size_t i = 0; i < workers_.size(); ++i) {
    core::Shard& to = workers_[i]->shard();
    for (size_t k = 0; k < workers_.size(); ++k) {
      auto& ring =
          rings_.Between(static_cast<core::ShardId>(k), static_cast<core::ShardId>(i)).mail;
      for (core::Envelope& mail : ring) to.Drop(std::move(mail));
      ring.clear();
      auto& parked = workers_[k]->shard().outbox().to_shard;
      if (i >= parked.size()) continue;
      for (core::Envelope& mail : parked[i]) to.Drop(std::move(mail));
      parked[i].clear();
    }
  }
  for (const auto& worker : workers_) worker->shard().LetGo();
  for (const auto& from : workers_) {
    for (const auto& to : workers_) {
      const std::vector<BlockReturn> returns = from->pool().TakeReturns(to->plan().id);
      BlockPool::AcceptReturns(returns);
    }
  }
  for (const auto& worker : workers_) {
    worker->Trim();
    if (worker->pool().bytes_in_use() == 0) continue;
    context_.verdict.Fail("leak", absl::StrCat("worker ", worker->plan().id, " ends with ",
                                               worker->pool().bytes_in_use(), " bytes"));
  }
}

}  // namespace trunkline::sim
