#include "tests/sim/run.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sim/crowd.h"
#include "tests/sim/faults.h"
#include "tests/sim/world.h"

namespace trunkline::sim {
namespace {

constexpr size_t kPeersMax = 12;
// Credit of a consumer that takes what is there: more than all probes.
constexpr uint32_t kPulled = 1000;

class RandomRun {
 public:
  explicit RandomRun(const RunPlan& plan)
      : world_(WorldPlanOf(plan)), context_(world_.context()), faults_(world_) {
    fault_percent_ = context_.Between(0, 4);
    steps_ = context_.Between(1000, 8000);
  }

  void Play() {
    if (world_.shards() > 1 && context_.Chance(10)) {
      crowd_.emplace(world_, static_cast<core::ShardId>(context_.random.Below(world_.shards())));
    }
    for (uint32_t n = context_.Between(2, 6); n > 0; --n) Connect();
    for (uint32_t step = 0; step < steps_ && context_.verdict.ok(); ++step) Step();
    faults_.Heal();
    EnableAll();
    world_.Rest();
    if (context_.verdict.ok()) world_.CheckAtRest();
    if (context_.verdict.ok()) Probe();
    if (!context_.verdict.ok()) return;
    // The router may also be stopped while clients are there.
    if (context_.Chance(80)) Leave();
    world_.End();
  }

  World& world() { return world_; }

 private:
  static WorldPlan WorldPlanOf(const RunPlan& plan);

  void Step();
  void Churn();
  void Jostle();
  std::vector<uint64_t> Links(size_t worker);
  void SwitchOne();
  void EnableAll();
  void Connect();
  void AddLink(Peer& peer);
  void AddSender(Peer& peer);
  void AddReceiver(Peer& peer);
  Peer* AnyPeer();

  void Probe();
  void Pull(uint32_t credit);
  void PullProbes(size_t first);
  void CheckProbe(const Message& message);
  uint64_t DroppedPresettled();
  void Leave();

  World world_;
  Context& context_;
  Faults faults_;
  std::optional<Crowd> crowd_;
  uint32_t fault_percent_;
  uint32_t steps_;
  uint64_t lost_presettled_ = 0;  // probes
};

// Sizes are drawn so small that limits are met.
WorldPlan RandomRun::WorldPlanOf(const RunPlan& plan) {
  Random random(plan.seed * 7919 + plan.shards);
  constexpr uint64_t kBudgets[] = {16 * 1024, 256 * 1024, 4 << 20};
  constexpr uint32_t kQuanta[] = {1024, 16 * 1024, 64 * 1024};
  constexpr uint64_t kMemory[] = {0, 0, 512 * 1024, 4 << 20};
  return {.seed = random.Next(),
          .shards = plan.shards,
          .ring_capacity = 1 + random.Below(random.Below(2) == 0 ? 8 : 256),
          .link_budget_bytes = kBudgets[random.Below(3)],
          .emit_quantum_bytes = kQuanta[random.Below(3)],
          .memory_budget_bytes = kMemory[random.Below(4)],
          .trace = plan.trace};
}

// --- the wild time

void RandomRun::Step() {
  const uint32_t dice = context_.Between(0, 99);
  if (dice < fault_percent_) return faults_.Step();
  if (dice < fault_percent_ + 2) return Churn();
  if (dice < 15) return world_.TurnPilot(false);
  if (dice < 22) {
    return world_.Pass(Milliseconds(context_.Between(0, context_.Chance(5) ? 500 : 5)));
  }
  if (dice < 60) {
    const size_t worker = context_.random.Below(world_.shards());
    if (!faults_.IsPaused(worker)) world_.TurnWorker(static_cast<core::ShardId>(worker));
    return;
  }
  if (Peer* peer = AnyPeer()) world_.TurnClient(*peer, Mood::kWild);
}

Peer* RandomRun::AnyPeer() {
  std::deque<Peer>& peers = world_.peers();
  return peers.empty() ? nullptr : &peers[context_.random.Below(peers.size())];
}

void RandomRun::Churn() {
  if (context_.Chance(3)) return world_.pilot().ChangeSettings();
  if (context_.Chance(10)) return SwitchOne();
  if (crowd_.has_value() && context_.Chance(60)) return Jostle();
  if (context_.Chance(20) && world_.peers().size() < kPeersMax) return Connect();
  Peer* peer = AnyPeer();
  if (peer == nullptr || peer->client->over() || peer->client->closing()) return;
  const uint32_t dice = context_.Between(0, 99);
  if (dice < 60) return AddLink(*peer);
  if (dice < 63) return peer->client->Close();
  auto& senders = peer->client->senders();
  auto& receivers = peer->client->receivers();
  if (dice < 75 && !senders.empty()) {
    senders[context_.random.Below(senders.size())].Detach(context_.Chance(80));
  } else if (!receivers.empty()) {
    receivers[context_.random.Below(receivers.size())].Detach(context_.Chance(80));
  }
}

// Consumers of the crowded shard leave, and others come at once.
void RandomRun::Jostle() {
  crowd_->Step();
  for (uint32_t n = context_.Between(1, 8); n > 0; --n) {
    Peer* peer = AnyPeer();
    if (peer == nullptr || peer->plan.client.shard != crowd_->shard()) continue;
    if (peer->client->over() || peer->client->closing()) continue;
    auto& receivers = peer->client->receivers();
    if (receivers.empty()) continue;
    Receiver& receiver = receivers[context_.random.Below(receivers.size())];
    if (!receiver.link().alive) continue;
    receiver.Detach(true);
    AddReceiver(*peer);
  }
}

// The numbers of all links of a worker.
std::vector<uint64_t> RandomRun::Links(size_t worker) {
  std::vector<uint64_t> links;
  const auto add = [&](const auto& link) { links.push_back(link.number); };
  world_.worker(worker).shard().WalkInLinks(0, UINT32_MAX, add);
  world_.worker(worker).shard().WalkOutLinks(0, UINT32_MAX, add);
  return links;
}

void RandomRun::SwitchOne() {
  const size_t worker = context_.random.Below(world_.shards());
  const std::vector<uint64_t> links = Links(worker);
  if (links.empty()) return;
  world_.worker(worker).Switch(links[context_.random.Below(links.size())], context_.Chance(60));
}

void RandomRun::EnableAll() {
  for (size_t worker = 0; worker < world_.shards(); ++worker) {
    for (const uint64_t link : Links(worker)) world_.worker(worker).Switch(link, false);
  }
}

void RandomRun::Connect() {
  constexpr uint32_t kFrames[] = {512, 2048, 16384, 65536};
  constexpr uint32_t kWindows[] = {16 * 1024, 128 * 1024, 1 << 20};
  PeerPlan plan;
  plan.client = {.sasl = context_.Chance(30),
                 .max_frame_size = kFrames[context_.random.Below(4)],
                 .session_window_bytes = kWindows[context_.random.Below(3)],
                 .sessions = context_.Between(1, 3),
                 .link_capacity = context_.Chance(30) ? 250 : context_.Between(1, 20),
                 .max_message_size = context_.Chance(20) ? context_.Between(1'000, 100'000) : 0,
                 .shard = static_cast<core::ShardId>(context_.random.Below(world_.shards()))};
  plan.wire_bytes = context_.Chance(50) ? 8 * 1024 : 256 * 1024;
  plan.max_frame_size = kFrames[context_.random.Below(4)];
  plan.session_window_bytes = kWindows[context_.random.Below(3)];
  plan.strip_in = context_.Chance(50);
  plan.strip_out = context_.Chance(50);
  Peer& peer = world_.Connect(plan);
  for (uint32_t n = context_.Between(1, 4); n > 0; --n) AddLink(peer);
}

void RandomRun::AddLink(Peer& peer) {
  if (context_.Chance(50)) return AddSender(peer);
  AddReceiver(peer);
}

void RandomRun::AddSender(Peer& peer) {
  constexpr amqp::SenderSettleMode kModes[] = {
      amqp::SenderSettleMode::kMixed, amqp::SenderSettleMode::kMixed,
      amqp::SenderSettleMode::kUnsettled, amqp::SenderSettleMode::kSettled};
  SenderPlan plan;
  if (!context_.Chance(25)) plan.address = context_.ledger.SomeAddress(context_.random);
  plan.shard = peer.plan.client.shard;
  plan.messages = context_.Between(5, 60);
  plan.capacity = peer.plan.client.link_capacity;
  plan.mode = kModes[context_.random.Below(4)];
  plan.presettled = context_.Chance(50) ? 0 : context_.Between(0, 100);
  plan.settled_early = context_.Chance(70) ? 0 : context_.Between(1, 200);
  plan.streamed = context_.Between(0, 60);
  plan.aborted = context_.Chance(60) ? 0 : context_.Between(0, 30);
  plan.max_message_size = peer.plan.client.max_message_size;
  plan.oversize = 2;
  peer.client->AddSender(std::move(plan));
}

void RandomRun::AddReceiver(Peer& peer) {
  ReceiverPlan plan;
  if (!context_.Chance(5)) {
    plan.address = Addresses()[context_.random.Below(Addresses().size())];
  }
  plan.shard = peer.plan.client.shard;
  plan.fallback = KindOf(plan.address).fallback && context_.Chance(50);
  plan.window = context_.Chance(10) ? 0 : context_.Between(1, context_.Chance(50) ? 5 : 200);
  plan.settle_percent = context_.Between(5, 100);
  plan.read_percent = context_.Chance(70) ? 100 : context_.Between(1, 50);
  plan.drain_percent = context_.Chance(70) ? 0 : 10;
  plan.settled_mode = context_.Chance(10);
  plan.second = !plan.settled_mode && context_.Chance(15);
  plan.refusals = context_.Chance(50) ? 0 : 30;
  peer.client->AddReceiver(std::move(plan));
}

// --- the end

// Whoever can send, does; what has a consumer, arrives.
void RandomRun::Probe() {
  const size_t first = context_.ledger.messages().size();
  const uint64_t dropped = DroppedPresettled();
  const bool pulled = context_.Chance(50);
  if (pulled) Pull(0);
  for (Peer& peer : world_.peers()) {
    for (Sender& sender : peer.client->senders()) {
      if (sender.over()) continue;
      for (int i = 0; i < 2; ++i) {
        sender.Probe(sender.plan().address.empty()
                         ? Addresses()[context_.random.Below(Addresses().size())]
                         : sender.plan().address);
      }
    }
  }
  world_.Rest();
  if (pulled) PullProbes(first);
  world_.CheckAtRest();
  for (size_t id = first; id < context_.ledger.messages().size(); ++id) {
    CheckProbe(context_.ledger.messages()[id]);
  }
  // What is not acknowledged may be dropped where a queue is full, but not without being counted.
  if (lost_presettled_ > DroppedPresettled() - dropped) {
    context_.verdict.Fail("convergence",
                          absl::StrCat(lost_presettled_, " settled probes are lost, ",
                                       DroppedPresettled() - dropped, " counted"));
  }
  for (Peer& peer : world_.peers()) {
    for (Sender& sender : peer.client->senders()) {
      if (sender.over() || sender.probes_left() == 0) continue;
      const std::string& address = sender.plan().address;
      if (!address.empty() && !context_.ledger.HasConsumer(address)) continue;
      context_.verdict.Fail("convergence", absl::StrCat("producer ", sender.link().id, " to ",
                                                        address, " got no credit"));
    }
  }
}

void RandomRun::Pull(uint32_t credit) {
  for (Peer& peer : world_.peers()) {
    for (Receiver& receiver : peer.client->receivers()) receiver.Pull(credit);
  }
  world_.Rest();
}

// What waits for consumers without credit comes when they ask for it, before they are told that
// there is no more.
void RandomRun::PullProbes(size_t first) {
  const size_t end = context_.ledger.messages().size();
  Pull(kPulled);
  for (size_t id = first; id < end; ++id) {
    const Message& message = context_.ledger.messages()[id];
    if (!message.started || message.presettled || !message.receptions.empty()) continue;
    if (!context_.ledger.HasConsumer(message.address)) continue;
    context_.verdict.Fail("drain", absl::StrCat(Describe(message), " was left behind"));
  }
  for (Peer& peer : world_.peers()) {
    for (Receiver& receiver : peer.client->receivers()) receiver.Resume();
  }
  world_.Rest();
}

void RandomRun::CheckProbe(const Message& message) {
  if (!message.started) {
    return context_.verdict.Fail("convergence", absl::StrCat(Describe(message), " was not sent"));
  }
  const bool reachable = context_.ledger.HasConsumer(message.address);
  const bool arrived = !message.receptions.empty() && message.receptions[0].complete;
  if (message.presettled && !arrived) {
    ++lost_presettled_;
    return;
  }
  if (reachable != arrived) {
    context_.verdict.Fail(
        "convergence",
        absl::StrCat(Describe(message), reachable ? " did not arrive" : " arrived, but where?"));
  }
  const amqp::OutcomeKind expected =
      message.presettled
          ? amqp::OutcomeKind::kNone
          : (reachable ? amqp::OutcomeKind::kAccepted : amqp::OutcomeKind::kReleased);
  if (message.told != expected) {
    context_.verdict.Fail("convergence", absl::StrCat(Describe(message), " was told ",
                                                      static_cast<int>(message.told)));
  }
}

uint64_t RandomRun::DroppedPresettled() {
  uint64_t n = 0;
  for (size_t i = 0; i < world_.shards(); ++i) {
    n += world_.worker(i).shard().stats().dropped_presettled.Get();
  }
  return n;
}

void RandomRun::Leave() {
  for (Peer& peer : world_.peers()) {
    if (peer.client->over()) continue;
    if (context_.Chance(50)) {
      peer.client->Close();
    } else {
      world_.Cut(peer);
    }
    if (context_.Chance(50)) world_.Rest();
  }
  world_.Rest();
  world_.CheckEmpty();
}

}  // namespace

RunResult Run(const RunPlan& plan) {
  auto run = std::make_unique<RandomRun>(plan);
  run->Play();
  Context& context = run->world().context();
  RunResult result{.violations = context.verdict.found(),
                   .digest = context.journal.digest(),
                   .messages = context.ledger.messages().size()};
  for (size_t i = 0; i < plan.shards; ++i) result.crossed += run->world().worker(i).mails();
  // Where something went wrong, the parts may be in no state to be taken apart.
  if (!context.verdict.ok()) (void)run.release();
  return result;
}

}  // namespace trunkline::sim
