#include "tests/sim/checkers/memory.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "router/conn/marks.h"

namespace trunkline::sim {

void Memory::OnTurn(Worker& worker, const Allowance& allowance) {
  constexpr uint64_t kBlock = BlockPool::kBlockBytes;
  const uint64_t read = kBlock + allowance.connections * 2 * kBlock;
  const uint64_t output =
      allowance.connections * (conn::kOutputHigh + worker.plan().emit_quantum_bytes + kBlock);
  const uint64_t held = 2 * allowance.window_bytes + allowance.credit * kBlock;
  const uint64_t limit = read + output + held;
  if (worker.pool().bytes_in_use() <= limit) return;
  verdict_.Fail("memory", absl::StrCat("worker ", worker.plan().id, " uses ",
                                       worker.pool().bytes_in_use(), " bytes of ", limit));
}

void Memory::AtEnd(Worker& worker) {
  const core::ShardStats& stats = worker.shard().stats();
  Zero(worker, "incoming links", stats.links_in.Get());
  Zero(worker, "outgoing links", stats.links_out.Get());
  Zero(worker, "undelivered copies", stats.undelivered.Get());
  Zero(worker, "unsettled copies", stats.unsettled.Get());
  Zero(worker, "deliveries", static_cast<int64_t>(worker.shard().unsettled()));
  Zero(worker, "stand-ins", static_cast<int64_t>(worker.shard().stand_ins()));
  Zero(worker, "connections", static_cast<int64_t>(worker.connections()));
  Zero(worker, "parked mail", static_cast<int64_t>(worker.parked()));
  Zero(worker, "bytes", static_cast<int64_t>(worker.pool().bytes_in_use()));
}

void Memory::Zero(const Worker& worker, const char* what, int64_t value) {
  if (value == 0) return;
  verdict_.Fail("leak", absl::StrCat("worker ", worker.plan().id, " keeps ", value, " ", what));
}

}  // namespace trunkline::sim
