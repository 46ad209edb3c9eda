// Cost of a delivery in two engines, sender to receiver and the outcome back; 32 messages per
// round.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "router/amqp/engine.h"

namespace trunkline::amqp {
namespace {

// One end, and the block in which it reads what the other wrote.
struct End {
  End(BlockPool& blocks, bool initiate) : pool(blocks), engine(Options(initiate), blocks) {}

  static EngineOptions Options(bool initiate) {
    EngineOptions options;
    options.initiate = initiate;
    options.container_id = initiate ? "client" : "server";
    return options;
  }

  // Moves the output of `from` here and reports it to `on_event`.
  template <typename OnEvent>
  void Take(End& from, OnEvent on_event) {
    from.engine.Flush(Time{});
    Output& output = from.engine.output();
    Block* block = pool.Take();
    iovec parts[64];
    const int n = output.Gather(parts, 64);
    for (int i = 0; i < n; ++i) {
      std::memcpy(block->tail(), parts[i].iov_base, parts[i].iov_len);
      block->used += static_cast<uint32_t>(parts[i].iov_len);
    }
    output.Consume(block->used);
    engine.SetInput(Slice(block, block->bytes, block->used), Time{});
    Event event;
    while (engine.Next(event)) on_event(event);
    BlockPool::Unref(block);
  }

  BlockPool& pool;
  Engine engine;
};

amqp::Attach SenderAttach() {
  amqp::Attach attach;
  attach.name = "bench";
  attach.role = Role::kSender;
  attach.source.present = attach.target.present = true;
  attach.target.address = "orders";
  attach.initial_delivery_count = 0;
  return attach;
}

void BM_Delivery(benchmark::State& state) {
  constexpr int kPerRound = 32;
  BlockPool pool;
  {
    End client(pool, true);
    End server(pool, false);
    LinkIndex receiver = 0;
    const auto serve = [&](Event& event) {
      if (event.kind != EventKind::kAttached) return;
      receiver = event.link;
      server.engine.AnswerAttach(event.link, *event.attach);
      server.engine.Grant(event.link, 1'000'000'000);
    };
    const auto ignore = [](Event&) {};
    const LinkIndex sender = client.engine.StartLink(client.engine.BeginSession(), SenderAttach());
    for (int i = 0; i < 4; ++i) server.Take(client, serve), client.Take(server, ignore);

    const bool settled = state.range(0) != 0;
    const std::string text = std::string("\0\x53\x75\xa0\x40", 5) + std::string(64, 'x');
    const Outcome accepted{OutcomeKind::kAccepted, {}};
    for (auto _ : state) {
      for (int i = 0; i < kPerRound; ++i) {
        Payload payload(Slice::Unowned(text));
        Outgoing delivery{.settled = settled, .complete = true, .payload = &payload};
        benchmark::DoNotOptimize(client.engine.Send(sender, delivery));
      }
      server.Take(client, [&](Event& event) {
        if (event.kind != EventKind::kTransfer) return;
        server.engine.Release(event.link, event.payload.size());
        if (!settled) server.engine.Dispose(event.link, event.delivery, accepted, true);
      });
      client.Take(server, ignore);
    }
    state.SetItemsProcessed(state.iterations() * kPerRound);
  }
}
BENCHMARK(BM_Delivery)->ArgName("settled")->Arg(0)->Arg(1);

}  // namespace
}  // namespace trunkline::amqp
