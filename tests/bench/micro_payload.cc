// Slices of blocks against absl::Cord: what arrives in a read buffer, waits, and leaves for one
// link.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "absl/strings/cord.h"
#include "router/base/payload.h"

namespace trunkline {
namespace {

void BM_PayloadThrough(benchmark::State& state) {
  BlockPool pool;
  const auto size = static_cast<uint32_t>(state.range(0));
  Block* block = pool.Take();
  for (auto _ : state) {
    Payload in(Slice(block, block->bytes, size));
    Payload out = std::move(in);
    benchmark::DoNotOptimize(out.slices().front().data());
    out.RemovePrefix(size);
  }
  BlockPool::Unref(block);
}
BENCHMARK(BM_PayloadThrough)->Arg(64)->Arg(1024)->Arg(16 * 1024);

void BM_CordThrough(benchmark::State& state) {
  const std::string buffer(64 * 1024, 'x');
  const auto size = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    absl::Cord in = absl::MakeCordFromExternal(absl::string_view(buffer.data(), size),
                                               [](absl::string_view) {});
    absl::Cord out = std::move(in);
    benchmark::DoNotOptimize(out.chunk_begin()->data());
    out.RemovePrefix(size);
  }
}
BENCHMARK(BM_CordThrough)->Arg(64)->Arg(1024)->Arg(16 * 1024);

}  // namespace
}  // namespace trunkline

BENCHMARK_MAIN();
