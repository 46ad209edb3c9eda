// Cost of a delivery in a shard alone: in, chosen, out, outcome back; 32 messages per turn.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "router/core/shard.h"

namespace trunkline::core {
namespace {

// A connection that takes everything, and remembers what it took.
class TakingSink : public Sink {
 public:
  void Attached(LinkToken, const AttachAnswer&) override {}
  void Detach(LinkToken, const amqp::Condition&) override {}
  void Grant(LinkToken, uint32_t) override {}
  void Drain(LinkToken) override {}
  void TakeCredit(LinkToken) override {}
  void GiveCreditBack(LinkToken) override {}
  void Release(LinkToken, uint64_t) override {}
  void SettleIn(LinkToken, uint32_t, const amqp::Outcome&, bool) override {}
  void Close(const amqp::Condition&) override {}
  SendOutcome Send(LinkToken, SendRequest& request) override {
    request.started = true;
    if (!request.settled) users.push_back(request.user);
    request.payload->Clear();
    return SendOutcome::kSent;
  }
  void SettleOut(LinkToken, uint32_t, const amqp::Outcome&, bool) override {}
  void Drained(LinkToken) override {}

  std::vector<uint64_t> users;
};

// A shard with a producer and consumers of one address.
class World {
 public:
  explicit World(int consumers) {
    settings_ = *AddressSettings::Build({}, Treatment::kBalanced);
    shard_.Adopt({1, &empty_, settings_.get()});
    connection_ = shard_.Open(sink_, {});
    AttachRequest request;
    request.address = "orders";
    for (int i = 0; i < consumers; ++i) {
      request.token = static_cast<LinkToken>(i);
      consumers_.push_back(shard_.AttachOut(connection_, request));
    }
    Publish();
    request.token = static_cast<LinkToken>(consumers);
    producer_ = shard_.AttachIn(connection_, request);
    const std::string message = std::string("\0\x53\x75\xa0\x40", 5) + std::string(64, 'x');
    block_ = pool_.Take();
    std::memcpy(block_->bytes, message.data(), message.size());
    size_ = static_cast<uint32_t>(message.size());
  }
  ~World() {
    shard_.Close(connection_);
    BlockPool::Unref(block_);
  }

  // One turn with `n` messages, and their outcomes.
  void Turn(int n, bool settled) {
    for (int i = 0; i < n; ++i) {
      shard_.OnTransfer(producer_, {.first = true,
                                    .settled = settled,
                                    .delivery = ++delivery_,
                                    .payload = Slice(block_, block_->bytes, size_)});
    }
    for (const Handle<OutLink> link : consumers_) shard_.OnFlow(link, 1000, false);
    shard_.Emit(Time{});
    for (const uint64_t user : sink_.users) shard_.OnConsumerDisposition(user, accepted_, true);
    sink_.users.clear();
  }

 private:
  void Publish() {
    Route route;
    route.id = 1;
    route.local.resize(1);
    for (Notice& notice : std::exchange(shard_.outbox(), {}).to_pilot) {
      auto& up = std::get<ConsumerUp>(notice);
      route.key = up.key;
      route.local[0].targets.push_back({.link = up.link.link, .load = up.load});
      ++route.local_count;
    }
    RouteTable::Builder builder{empty_};
    builder.Set(std::make_shared<Route>(std::move(route)));
    table_ = builder.Finish();
    shard_.Adopt({2, &table_, settings_.get()});
    for (const Handle<OutLink> link : consumers_) shard_.Accept(kFromPilot, LinkReady{link});
  }

  BlockPool pool_;
  TakingSink sink_;
  RouteTable empty_;
  RouteTable table_;
  std::shared_ptr<const AddressSettings> settings_;
  Shard shard_{{.identity = {.router_id = "bench"}}, pool_};
  Handle<Connection> connection_;
  Handle<InLink> producer_;
  std::vector<Handle<OutLink>> consumers_;
  const amqp::Outcome accepted_{amqp::OutcomeKind::kAccepted, {}};
  Block* block_ = nullptr;
  uint32_t size_ = 0;
  uint32_t delivery_ = 0;
};

constexpr int kPerTurn = 32;

void BM_Forward(benchmark::State& state) {
  World world(static_cast<int>(state.range(0)));
  for (auto _ : state) world.Turn(kPerTurn, state.range(1) != 0);
  state.SetItemsProcessed(state.iterations() * kPerTurn);
}
BENCHMARK(BM_Forward)->ArgNames({"consumers", "settled"})->ArgsProduct({{1, 4, 64}, {0, 1}});

}  // namespace
}  // namespace trunkline::core
