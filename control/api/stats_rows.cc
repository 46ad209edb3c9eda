#include "control/api/stats_rows.h"

#include <algorithm>
#include <string>
#include <utility>

#include "control/api/connections_rows.h"
#include "control/api/routes.h"
#include "control/config/characters.h"
#include "control/config/document.h"
#include "control/config/text.h"

namespace trunkline::api {
namespace {

using config::Concat;
using config::ToUtf8;
using CountMap = google::protobuf::Map<std::string, google::protobuf::uint64>;

void Fill(const std::vector<NamedCount>& counts, CountMap& map) {
  for (const NamedCount& each : counts) map[std::string(each.name)] = each.count;
}

void Fill(const Spread& spread, v1::StatsSpread& out) {
  for (const uint64_t bound : spread.bounds) out.add_bounds(bound);
  for (const uint64_t count : spread.counts) out.add_counts(count);
  out.set_sum(spread.sum);
}

void Fill(Duration duration, google::protobuf::Duration& out) {
  out.set_seconds(duration.ns / kSecond.ns);
  out.set_nanos(static_cast<int32_t>(duration.ns % kSecond.ns));
}

double SecondsOf(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + duration.nanos() / 1e9;
}

// Of a count that grew from `before` to `now`; one that is smaller has begun anew.
double Rate(uint64_t before, uint64_t now, Duration span) {
  const uint64_t grown = now >= before ? now - before : now;
  if (span.ns <= 0) return 0;
  return static_cast<double>(grown) * 1e9 / static_cast<double>(span.ns);
}

// The `limit` rows with the highest `rate`; of equal ones those with the smaller name.
template <typename Row, typename RateOf>
std::vector<Row> Top(std::vector<Row> rows, size_t limit, RateOf rate) {
  const size_t count = std::min(limit, rows.size());
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(count), rows.end(),
                    [&](const Row& a, const Row& b) {
                      return rate(a) != rate(b) ? rate(a) > rate(b) : a.name() < b.name();
                    });
  rows.resize(count);
  return rows;
}

uint64_t DeliveriesBefore(const Marks& before, uint64_t link) {
  const auto found = before.links.find(link);
  return found == before.links.end() ? 0 : found->second.deliveries;
}

}  // namespace

v1::RouterStats RouterStatsOf(const RouterMetrics& metrics) {
  const RouterCounters& sums = metrics.sums;
  v1::RouterStats out;
  out.set_connections(sums.connections_now);
  out.set_connections_total(sums.connections_total);
  out.set_connections_refused(sums.connections_refused);
  out.set_probes(sums.probes);
  out.set_handshake_timeouts(sums.handshake_timeouts);
  out.set_links_in(metrics.links_in);
  out.set_links_out(metrics.links_out);
  out.set_deliveries_in(sums.deliveries_in);
  out.set_deliveries_out(sums.deliveries_out);
  out.set_presettled(sums.presettled);
  Fill(metrics.dropped, *out.mutable_dropped());
  out.set_accepted(sums.accepted);
  out.set_rejected(sums.rejected);
  out.set_released(sums.released);
  out.set_modified(sums.modified);
  out.set_redirected_fallback(metrics.redirected_fallback);
  out.set_delayed_1s(sums.deliveries_delayed_1s);
  out.set_delayed_10s(sums.deliveries_delayed_10s);
  out.set_unsettled(metrics.unsettled);
  out.set_undelivered(metrics.undelivered);
  out.set_stuck(sums.deliveries_stuck);
  out.set_links_blocked(sums.links_blocked);
  out.set_frames_received(sums.frames_in);
  out.set_frames_sent(sums.frames_out);
  out.set_bytes_received(sums.bytes_read);
  out.set_bytes_sent(sums.bytes_written);
  Fill(metrics.faults, *out.mutable_faults());
  out.set_memory_held_bytes(sums.memory_held_bytes);
  out.set_memory_budget_bytes(sums.memory_budget_bytes);
  Fill(sums.longest_turn, *out.mutable_longest_turn());
  Fill(metrics.message_size, *out.mutable_message_size());
  Fill(metrics.forward_duration, *out.mutable_forward_duration());
  Fill(metrics.credit_wait, *out.mutable_credit_wait());
  Fill(metrics.turn_duration, *out.mutable_turn_duration());
  return out;
}

v1::WorkerStats WorkerStatsOf(const WorkerMetrics& metrics, uint32_t worker, Time now) {
  v1::WorkerStats out;
  out.set_worker(worker);
  out.set_turns(metrics.turns);
  Fill(Duration{static_cast<int64_t>(metrics.busy_ns)}, *out.mutable_busy());
  if (metrics.turn_began != kNever && now > metrics.turn_began) {
    Fill(now - metrics.turn_began, *out.mutable_turn_age());
  }
  out.set_mails_sent(metrics.mails_sent);
  out.set_mails_parked(metrics.mails_parked);
  return out;
}

v1::OwnerStats OwnerStatsOf(const OwnerMetrics& metrics) {
  v1::OwnerStats out;
  out.set_name(config::ResourceName(metrics.inbound ? config::kListeners : config::kConnectors,
                                    metrics.name));
  out.set_opened(metrics.opened);
  out.set_probes(metrics.probes);
  out.set_handshake_timeouts(metrics.handshake_timeouts);
  Fill(metrics.closed, *out.mutable_closed());
  Fill(metrics.failed, *out.mutable_failed());
  Fill(metrics.refused, *out.mutable_refused());
  Fill(metrics.tls_handshakes, *out.mutable_tls_handshakes());
  for (const SaslCount& each : metrics.sasl) {
    v1::SaslStats& sasl = *out.add_sasl();
    sasl.set_mechanism(std::string(each.mechanism));
    sasl.set_ok(each.ok);
    sasl.set_denied(each.denied);
    sasl.set_error(each.error);
  }
  return out;
}

// --- rates

v1::RouterRates RatesOf(const v1::RouterStats& before, const v1::RouterStats& now, Duration span) {
  v1::RouterRates rates;
  rates.set_deliveries_in(Rate(before.deliveries_in(), now.deliveries_in(), span));
  rates.set_deliveries_out(Rate(before.deliveries_out(), now.deliveries_out(), span));
  rates.set_presettled(Rate(before.presettled(), now.presettled(), span));
  rates.set_accepted(Rate(before.accepted(), now.accepted(), span));
  rates.set_rejected(Rate(before.rejected(), now.rejected(), span));
  rates.set_released(Rate(before.released(), now.released(), span));
  rates.set_modified(Rate(before.modified(), now.modified(), span));
  rates.set_bytes_received(Rate(before.bytes_received(), now.bytes_received(), span));
  rates.set_bytes_sent(Rate(before.bytes_sent(), now.bytes_sent(), span));
  rates.set_frames_received(Rate(before.frames_received(), now.frames_received(), span));
  rates.set_frames_sent(Rate(before.frames_sent(), now.frames_sent(), span));
  rates.set_connections(Rate(before.connections_total(), now.connections_total(), span));
  rates.set_connections_refused(
      Rate(before.connections_refused(), now.connections_refused(), span));
  return rates;
}

v1::WorkerRates RatesOf(const v1::WorkerStats& before, const v1::WorkerStats& now, Duration span) {
  v1::WorkerRates rates;
  rates.set_worker(now.worker());
  const double busy = SecondsOf(now.busy()) - SecondsOf(before.busy());
  if (span.ns > 0) rates.set_busy(busy * 1e9 / static_cast<double>(span.ns));
  rates.set_turns(Rate(before.turns(), now.turns(), span));
  rates.set_mails_sent(Rate(before.mails_sent(), now.mails_sent(), span));
  return rates;
}

v1::OwnerRates RatesOf(const v1::OwnerStats& before, const v1::OwnerStats& now, Duration span) {
  v1::OwnerRates rates;
  rates.set_name(now.name());
  rates.set_opened(Rate(before.opened(), now.opened(), span));
  return rates;
}

// --- connections and links

Marks MarksOf(const Snapshot& snapshot) {
  Marks marks;
  for (const LinkState& link : snapshot.links) marks.links[link.number] = {link.deliveries};
  for (const ConnectionState& each : snapshot.connections) {
    marks.connections[each.id] = {each.bytes_in, each.bytes_out, each.frames_in, each.frames_out};
  }
  return marks;
}

std::vector<v1::LinkRates> TopLinks(const Snapshot& snapshot, const Marks& before, Duration span,
                                    size_t limit) {
  std::vector<v1::LinkRates> rows;
  rows.reserve(snapshot.links.size());
  for (const LinkState& link : snapshot.links) {
    v1::LinkRates& row = rows.emplace_back();
    row.set_name(LinkName(link.connection, link.number));
    row.set_address(ToUtf8(link.address));
    row.set_incoming(link.incoming);
    row.set_deliveries(Rate(DeliveriesBefore(before, link.number), link.deliveries, span));
    row.set_credit(link.credit);
    row.set_unsettled(link.unsettled);
    row.set_undelivered(link.undelivered);
  }
  return Top(std::move(rows), limit, [](const auto& row) { return row.deliveries(); });
}

std::vector<v1::ConnectionRates> TopConnections(const Snapshot& snapshot, const Marks& before,
                                                Duration span, size_t limit) {
  std::vector<v1::ConnectionRates> rows;
  rows.reserve(snapshot.connections.size());
  for (const ConnectionState& each : snapshot.connections) {
    const auto found = before.connections.find(each.id);
    const ConnectionMark was = found == before.connections.end() ? ConnectionMark() : found->second;
    v1::ConnectionRates& row = rows.emplace_back();
    row.set_name(ConnectionName(each.id));
    row.set_container(ToUtf8(each.container_id));
    row.set_user(ToUtf8(each.user));
    row.set_peer(each.peer);
    row.set_bytes_received(Rate(was.bytes_in, each.bytes_in, span));
    row.set_bytes_sent(Rate(was.bytes_out, each.bytes_out, span));
    row.set_frames_received(Rate(was.frames_in, each.frames_in, span));
    row.set_frames_sent(Rate(was.frames_out, each.frames_out, span));
  }
  return Top(std::move(rows), limit,
             [](const auto& row) { return row.bytes_received() + row.bytes_sent(); });
}

std::vector<v1::RouteRates> TopRoutes(const Snapshot& snapshot, const Marks& before, Duration span,
                                      size_t limit) {
  std::map<std::string, v1::RouteRates> routes;
  for (const LinkState& link : snapshot.links) {
    if (link.key.empty()) continue;
    v1::RouteRates& row = routes[AddressOfKey(link.key)];
    const double rate = Rate(DeliveriesBefore(before, link.number), link.deliveries, span);
    if (link.incoming) {
      row.set_deliveries_in(row.deliveries_in() + rate);
      row.set_producers(row.producers() + 1);
    } else {
      row.set_deliveries_out(row.deliveries_out() + rate);
      row.set_consumers(row.consumers() + 1);
      row.set_unsettled(row.unsettled() + link.unsettled);
      row.set_undelivered(row.undelivered() + link.undelivered);
    }
  }
  std::vector<v1::RouteRates> rows;
  rows.reserve(routes.size());
  for (auto& [address, row] : routes) {
    row.set_address(ToUtf8(address));
    row.set_name(Concat("routes/", row.address()));
    rows.push_back(std::move(row));
  }
  return Top(std::move(rows), limit,
             [](const auto& row) { return row.deliveries_in() + row.deliveries_out(); });
}

}  // namespace trunkline::api
