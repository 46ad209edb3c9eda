#include "router/net/metering.h"

#include <algorithm>
#include <array>

namespace trunkline::net {
namespace {

constexpr std::array<std::string_view, core::kDropReasons> kDropNames = {
    "presettled_no_credit", "no_consumer", "link_lost", "max_size", "other"};
constexpr std::array<std::string_view, amqp::kFaults> kFaultNames = {
    "framing",   "malformed",    "rules",          "hang_up",    "idle",    "frame_size",
    "sessions",  "handles",      "links",          "container",  "address", "delivery_tag",
    "unsettled", "dispositions", "session_window", "link_credit"};
constexpr std::array<std::string_view, 4> kOutcomeNames = {"accepted", "rejected", "released",
                                                           "modified"};

// A level is never below zero for long: its parts are read one after the other.
uint64_t Level(int64_t value) { return value > 0 ? static_cast<uint64_t>(value) : 0; }

template <size_t kSize>
std::vector<NamedCount> Named(const std::array<std::string_view, kSize>& names) {
  std::vector<NamedCount> counts;
  for (std::string_view name : names) counts.push_back({name, 0});
  return counts;
}

template <size_t kSize>
void AddUp(const std::array<Counter, kSize>& from, std::vector<NamedCount>& to) {
  for (size_t i = 0; i < kSize; ++i) to[i].count += from[i].Get();
}

template <typename ScaleT>
void AddUp(const Histogram<ScaleT>& from, Spread& to) {
  to.bounds = ScaleT::kBounds;
  to.counts.resize(Histogram<ScaleT>::kBuckets);
  for (size_t i = 0; i < to.counts.size(); ++i) to.counts[i] += from.In(i);
  to.sum += from.Sum();
}

void AddWorker(const Worker& worker, RouterCounters& sum) {
  const WorkerCounters& net = worker.counters();
  const uint64_t gone = net.connections_gone.Get();
  sum.connections_total += net.connections.Get();
  sum.connections_now += net.connections.Get() - gone;
  const core::ShardStats& shard = worker.shard_stats();
  sum.links_now += static_cast<uint64_t>(shard.links_in.Get() + shard.links_out.Get());
  sum.deliveries_in += shard.deliveries_in.Get();
  sum.deliveries_out += shard.deliveries_out.Get();
  sum.presettled += shard.presettled.Get();
  sum.dropped_presettled += shard.dropped_presettled.Get();
  sum.accepted += shard.accepted.Get();
  sum.rejected += shard.rejected.Get();
  sum.released += shard.released.Get();
  sum.modified += shard.modified.Get();
  sum.deliveries_delayed_1s += shard.delayed_1s.Get();
  sum.deliveries_delayed_10s += shard.delayed_10s.Get();
  sum.deliveries_stuck += static_cast<uint64_t>(shard.stuck.Get());
  sum.links_blocked += static_cast<uint64_t>(shard.links_blocked.Get());
  const conn::ConnStats& connections = worker.conn_stats();
  sum.handshake_timeouts += connections.handshake_timeouts.Get();
  sum.probes += connections.probes.Get();
  sum.frames_in += connections.frames_in.Get();
  sum.frames_out += connections.frames_out.Get();
  sum.bytes_read += net.bytes_read.Get();
  sum.bytes_written += net.bytes_written.Get();
  sum.mails_sent += net.mails_sent.Get();
  sum.mails_parked += net.mails_parked.Get();
  sum.mails_received += net.mails_received.Get();
  sum.wakes += net.wakes.Get();
  sum.turns += net.turns.Get();
  sum.longest_turn = std::max(sum.longest_turn, net.longest_turn.Get());
}

WorkerMetrics MetricsOf(const Worker& worker) {
  const WorkerCounters& net = worker.counters();
  return {.turns = net.turns.Get(),
          .busy_ns = net.busy_ns.Get(),
          .turn_began = {net.turn_began_ns.load(std::memory_order_relaxed)},
          .mails_sent = net.mails_sent.Get(),
          .mails_parked = net.mails_parked.Get()};
}

void AddShard(const core::ShardStats& shard, RouterMetrics& metrics) {
  metrics.redirected_fallback += shard.redirected_fallback.Get();
  AddUp(shard.dropped, metrics.dropped);
  AddUp(shard.message_size, metrics.message_size);
  AddUp(shard.forward_duration, metrics.forward_duration);
  AddUp(shard.credit_wait, metrics.credit_wait);
  for (size_t i = 0; i < shard.settle_duration.size(); ++i) {
    AddUp(shard.settle_duration[i], metrics.settle_duration[i]);
  }
}

}  // namespace

RouterCounters ReadCounters(const Meters& meters) {
  RouterCounters sum;
  for (const auto& worker : meters.workers) AddWorker(*worker, sum);
  sum.memory_held_bytes = meters.budget.used();
  sum.memory_budget_bytes = meters.budget.limit();
  const Admission& admission = meters.admission;
  for (size_t i = 0; i < kRefusals; ++i) {
    sum.connections_refused += admission.refused(static_cast<Refusal>(i));
  }
  sum.refused_listener_full = admission.refused(Refusal::kListenerFull);
  sum.refused_router_full = admission.refused(Refusal::kRouterFull);
  sum.refused_unopened = admission.refused(Refusal::kUnopened);
  sum.refused_descriptors = admission.refused(Refusal::kDescriptors);
  sum.refused_system = admission.refused(Refusal::kSystem);
  return sum;
}

RouterMetrics ReadMetrics(const Meters& meters) {
  RouterMetrics metrics;
  metrics.sums = ReadCounters(meters);
  metrics.dropped = Named(kDropNames);
  metrics.faults = Named(kFaultNames);
  metrics.outcomes = {kOutcomeNames.begin(), kOutcomeNames.end()};
  metrics.settle_duration.resize(kOutcomeNames.size());
  int64_t links_in = 0;
  int64_t links_out = 0;
  int64_t unsettled = 0;
  int64_t undelivered = 0;
  for (const auto& worker : meters.workers) {
    const core::ShardStats& shard = worker->shard_stats();
    links_in += shard.links_in.Get();
    links_out += shard.links_out.Get();
    unsettled += shard.unsettled.Get();
    undelivered += shard.undelivered.Get();
    AddShard(shard, metrics);
    AddUp(worker->conn_stats().faults.by_fault, metrics.faults);
    AddUp(worker->counters().turn_duration, metrics.turn_duration);
    metrics.workers.push_back(MetricsOf(*worker));
  }
  metrics.links_in = Level(links_in);
  metrics.links_out = Level(links_out);
  metrics.unsettled = Level(unsettled);
  metrics.undelivered = Level(undelivered);
  metrics.addresses = Level(meters.publisher.addresses().Get());
  metrics.owners = meters.owners.Read();
  return metrics;
}

}  // namespace trunkline::net
