// Cost of finding a route and of publishing one attach, with 100,000 addresses present.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "router/base/random.h"
#include "router/core/route_table.h"

namespace trunkline::core {
namespace {

std::string Key(uint64_t n) { return "M0orders/region/" + std::to_string(n); }

std::shared_ptr<const Route> MakeRoute(uint64_t n) {
  auto route = std::make_shared<Route>();
  route->key = Key(n);
  route->id = static_cast<uint32_t>(n);
  return route;
}

RouteTable Table(int64_t size) {
  RouteTable::Builder builder{RouteTable()};
  for (int64_t i = 0; i < size; ++i) builder.Set(MakeRoute(static_cast<uint64_t>(i)));
  return builder.Finish();
}

void BM_FindHot(benchmark::State& state) {
  const RouteTable table = Table(state.range(0));
  const std::string key = Key(7);
  for (auto _ : state) benchmark::DoNotOptimize(table.Find(key));
}
BENCHMARK(BM_FindHot)->Arg(100)->Arg(100'000);

void BM_FindCold(benchmark::State& state) {
  const RouteTable table = Table(state.range(0));
  std::vector<std::string> keys;
  Random random(1);
  for (int i = 0; i < 100'000; ++i) {
    keys.push_back(Key(random.Below(static_cast<uint64_t>(state.range(0)))));
  }
  size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.Find(keys[at]));
    at = at + 1 == keys.size() ? 0 : at + 1;
  }
}
BENCHMARK(BM_FindCold)->Arg(100'000);

void BM_PublishOneAttach(benchmark::State& state) {
  RouteTable table = Table(state.range(0));
  uint64_t n = static_cast<uint64_t>(state.range(0));
  for (auto _ : state) {
    RouteTable::Builder builder(table);
    builder.Set(MakeRoute(++n));
    table = builder.Finish();
  }
}
BENCHMARK(BM_PublishOneAttach)->Arg(100)->Arg(100'000);

}  // namespace
}  // namespace trunkline::core
