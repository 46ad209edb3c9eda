#include <string>

#include "control/metrics/rows.h"

namespace trunkline::metrics {
namespace {

constexpr double kNanosecond = 1e-9;

void AddTraffic(const RouterMetrics& router, Families& families) {
  const RouterCounters& sums = router.sums;
  families.Add(Metric::kBytes, {"in"}, sums.bytes_read);
  families.Add(Metric::kBytes, {"out"}, sums.bytes_written);
  families.Add(Metric::kFrames, {"in"}, sums.frames_in);
  families.Add(Metric::kFrames, {"out"}, sums.frames_out);
  families.Add(Metric::kLinks, {"in"}, router.links_in);
  families.Add(Metric::kLinks, {"out"}, router.links_out);
  families.Add(Metric::kLinksBlocked, {}, sums.links_blocked);
  families.Add(Metric::kAddresses, {}, router.addresses);
  for (const NamedCount& fault : router.faults) {
    families.Add(Metric::kProtocolFaults, {fault.name}, fault.count);
  }
}

void AddDeliveries(const RouterMetrics& router, Families& families) {
  const RouterCounters& sums = router.sums;
  families.Add(Metric::kDeliveries, {"ingress"}, sums.deliveries_in);
  families.Add(Metric::kDeliveries, {"egress"}, sums.deliveries_out);
  families.Add(Metric::kDeliveriesSettled, {"accepted"}, sums.accepted);
  families.Add(Metric::kDeliveriesSettled, {"rejected"}, sums.rejected);
  families.Add(Metric::kDeliveriesSettled, {"released"}, sums.released);
  families.Add(Metric::kDeliveriesSettled, {"modified"}, sums.modified);
  families.Add(Metric::kDeliveriesSettled, {"presettled"}, sums.presettled);
  for (const NamedCount& drop : router.dropped) {
    families.Add(Metric::kDeliveriesDropped, {drop.name}, drop.count);
  }
  families.Add(Metric::kDeliveriesDelayed, {"1s"}, sums.deliveries_delayed_1s);
  families.Add(Metric::kDeliveriesDelayed, {"10s"}, sums.deliveries_delayed_10s);
  families.Add(Metric::kDeliveriesRedirected, {}, router.redirected_fallback);
  families.Add(Metric::kDeliveriesStuck, {}, sums.deliveries_stuck);
  families.Add(Metric::kDeliveriesUnsettled, {"out"}, router.unsettled);
  families.Add(Metric::kUndeliveredMessages, {}, router.undelivered);
}

void AddSpreads(const RouterMetrics& router, Families& families) {
  families.Add(Metric::kMessageSize, {"in"}, router.message_size, 1);
  families.Add(Metric::kForwardDuration, {"local"}, router.forward_duration, kNanosecond);
  for (size_t i = 0; i < router.outcomes.size(); ++i) {
    families.Add(Metric::kSettleDuration, {router.outcomes[i]}, router.settle_duration[i],
                 kNanosecond);
  }
  families.Add(Metric::kCreditWait, {}, router.credit_wait, kNanosecond);
  families.Add(Metric::kWorkerLoopLag, {}, router.turn_duration, kNanosecond);
}

void AddWorkers(const RouterMetrics& router, Families& families) {
  for (size_t i = 0; i < router.workers.size(); ++i) {
    const WorkerMetrics& worker = router.workers[i];
    const std::string id = std::to_string(i);
    families.Add(Metric::kWorkerBusy, {id}, static_cast<double>(worker.busy_ns) * kNanosecond);
    families.Add(Metric::kWorkerTurns, {id}, worker.turns);
    families.Add(Metric::kWorkerMails, {id, "sent"}, worker.mails_sent);
    families.Add(Metric::kWorkerMails, {id, "parked"}, worker.mails_parked);
  }
  families.Add(Metric::kWorkerTurnMax, {}, router.sums.longest_turn.seconds());
}

std::string_view RoleName(Role role) {
  return role == Role::kRouteContainer ? "route_container" : "normal";
}

// Connections of one listener or connector.
void AddOwner(const OwnerMetrics& owner, Families& families) {
  const std::string_view role = RoleName(owner.role);
  const std::string_view direction = owner.inbound ? "in" : "out";
  const std::string_view listener = owner.inbound ? std::string_view(owner.name) : "";
  const std::string_view connector = owner.inbound ? "" : std::string_view(owner.name);
  uint64_t closed = 0;
  for (const NamedCount& reason : owner.closed) {
    closed += reason.count;
    families.Add(Metric::kConnectionsClosed, {role, direction, listener, connector, reason.name},
                 reason.count);
  }
  // The two are not read at one time.
  const uint64_t open = owner.opened > closed ? owner.opened - closed : 0;
  families.Add(Metric::kConnections, {role, direction, listener, connector}, open);
  families.Add(Metric::kConnectionsOpened, {role, direction, listener, connector}, owner.opened);
  for (const NamedCount& stage : owner.failed) {
    families.Add(Metric::kConnectionErrors, {stage.name, listener, connector}, stage.count);
  }
  for (const NamedCount& reason : owner.refused) {
    families.Add(Metric::kConnectionsRefused, {listener, reason.name}, reason.count);
  }
  if (owner.inbound) families.Add(Metric::kConnectionProbes, {listener}, owner.probes);
  families.Add(Metric::kHandshakeTimeouts, {listener, connector}, owner.handshake_timeouts);
  for (const NamedCount& result : owner.tls_handshakes) {
    families.Add(Metric::kTlsHandshakes, {direction, listener, connector, result.name},
                 result.count);
  }
  for (const SaslCount& sasl : owner.sasl) {
    families.Add(Metric::kSaslAttempts, {sasl.mechanism, "ok", listener, connector}, sasl.ok);
    families.Add(Metric::kSaslAttempts, {sasl.mechanism, "denied", listener, connector},
                 sasl.denied);
    families.Add(Metric::kSaslAttempts, {sasl.mechanism, "error", listener, connector}, sasl.error);
  }
}

}  // namespace

void AddRouter(const RouterMetrics& router, Families& families) {
  AddTraffic(router, families);
  AddDeliveries(router, families);
  AddSpreads(router, families);
  AddWorkers(router, families);
  families.Add(Metric::kMemoryPool, {"messages", "used"}, router.sums.memory_held_bytes);
  families.Add(Metric::kMemoryBudget, {}, router.sums.memory_budget_bytes);
}

void AddConnections(const RouterMetrics& router, Families& families) {
  for (const OwnerMetrics& owner : router.owners) AddOwner(owner, families);
  // Who found no descriptor is closed before it is known to which listener he came.
  families.Add(Metric::kConnectionsRefused, {"", "system"}, router.sums.refused_system);
}

}  // namespace trunkline::metrics
