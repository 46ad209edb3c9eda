#include "control/api/stats.h"

#include <algorithm>
#include <utility>

#include "control/api/stats_rows.h"
#include "control/config/error_details.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using config::Concat;
using Parts = std::set<v1::StatsPart>;

constexpr Duration kIntervalDefault = kSecond;
constexpr Duration kIntervalMin = Milliseconds(100);
constexpr Duration kIntervalMax = kMinute * 60;
// Where every connection and link is looked at.
constexpr Duration kLookIntervalMin = kSecond;
constexpr uint32_t kLimitDefault = 20;
constexpr uint32_t kLimitMax = 1000;
constexpr int64_t kRetryMilliseconds = 1000;

absl::Status Wrong(const std::string& field, const std::string& why) {
  return config::WithReason(
      config::WithViolations(absl::InvalidArgumentError(Concat(field, ": ", why)), {{field, why}}),
      "INVALID_FIELD");
}

bool Looks(const Parts& parts) {
  return parts.contains(v1::STATS_PART_ROUTES) || parts.contains(v1::STATS_PART_LINKS) ||
         parts.contains(v1::STATS_PART_CONNECTIONS);
}

template <typename Request>
absl::StatusOr<Parts> PartsOf(const Request& request) {
  Parts parts;
  for (const int part : request.parts()) {
    if (part == v1::STATS_PART_UNSPECIFIED || !v1::StatsPart_IsValid(part)) {
      return Wrong("parts", Concat(part, " is none"));
    }
    parts.insert(static_cast<v1::StatsPart>(part));
  }
  if (!parts.empty()) return parts;
  return Parts{v1::STATS_PART_ROUTER, v1::STATS_PART_WORKERS, v1::STATS_PART_OWNERS};
}

absl::StatusOr<Duration> IntervalOf(const v1::WatchStatsRequest& request, const Parts& parts) {
  if (!request.has_interval()) return kIntervalDefault;
  const Duration least = Looks(parts) ? kLookIntervalMin : kIntervalMin;
  const int64_t milliseconds = config::ToMilliseconds(request.interval());
  if (milliseconds < least.milliseconds() || milliseconds > kIntervalMax.milliseconds()) {
    return Wrong("interval", Concat(config::FormatDuration(milliseconds), " is not in ",
                                    config::FormatDuration(least.milliseconds()), "..1h"));
  }
  return Milliseconds(milliseconds);
}

v1::Stats StatsOf(const RouterMetrics& metrics, const Parts& parts, const WallClock& wall,
                  Time now) {
  v1::Stats stats;
  *stats.mutable_time() = wall.At(now);
  if (parts.contains(v1::STATS_PART_ROUTER)) *stats.mutable_router() = RouterStatsOf(metrics);
  if (parts.contains(v1::STATS_PART_WORKERS)) {
    for (size_t i = 0; i < metrics.workers.size(); ++i) {
      *stats.add_workers() = WorkerStatsOf(metrics.workers[i], static_cast<uint32_t>(i), now);
    }
  }
  if (parts.contains(v1::STATS_PART_OWNERS)) {
    for (const OwnerMetrics& owner : metrics.owners) *stats.add_owners() = OwnerStatsOf(owner);
    std::sort(stats.mutable_owners()->begin(), stats.mutable_owners()->end(),
              [](const auto& a, const auto& b) { return a.name() < b.name(); });
  }
  return stats;
}

const v1::OwnerStats& FindOwner(const v1::Stats& stats, const std::string& name) {
  for (const v1::OwnerStats& owner : stats.owners()) {
    if (owner.name() == name) return owner;
  }
  return v1::OwnerStats::default_instance();
}

void AddRates(const v1::Stats& before, Duration span, v1::WatchStatsResponse& update) {
  const v1::Stats& now = update.stats();
  if (now.has_router()) {
    *update.mutable_router_rates() = RatesOf(before.router(), now.router(), span);
  }
  for (int i = 0; i < std::min(now.workers_size(), before.workers_size()); ++i) {
    *update.add_worker_rates() = RatesOf(before.workers(i), now.workers(i), span);
  }
  for (const v1::OwnerStats& owner : now.owners()) {
    *update.add_owner_rates() = RatesOf(FindOwner(before, owner.name()), owner, span);
  }
}

}  // namespace

struct StatsWatch::Watcher {
  std::shared_ptr<Call> call;
  Parts parts;
  Duration interval;
  size_t limit = 0;
  Time due;
  bool looking = false;  // the router is asked
  // What was told last; at kNever nothing was.
  Time told = kNever;
  v1::Stats stats;
  Marks marks;
};

StatsWatch::StatsWatch(Observing& observing, const WallClock& wall, Hooks hooks)
    : observing_(observing), wall_(wall), hooks_(std::move(hooks)) {}
StatsWatch::~StatsWatch() = default;

Handlers StatsWatch::MakeHandlers() {
  Handlers handlers;
  handlers["StatsService/GetStats"] = [this](const auto& call) { Get(*call); };
  handlers["StatsService/WatchStats"] = [this](const auto& call) { Watch(call); };
  return handlers;
}

void StatsWatch::Get(Call& call) const {
  const auto parts = PartsOf(call.As<v1::GetStatsRequest>());
  if (!parts.ok()) return call.Finish(parts.status());
  if (Looks(*parts)) {
    return call.Finish(Wrong("parts", "routes, connections and links have rates, by WatchStats"));
  }
  v1::Stats stats = StatsOf(hooks_.metrics(), *parts, wall_, hooks_.clock());
  if (parts->contains(v1::STATS_PART_PROCESS)) *stats.mutable_process() = hooks_.process();
  call.Reply(stats);
}

void StatsWatch::Watch(const std::shared_ptr<Call>& call) {
  const auto& request = call->As<v1::WatchStatsRequest>();
  const auto parts = PartsOf(request);
  if (!parts.ok()) return call->Finish(parts.status());
  if (parts->contains(v1::STATS_PART_PROCESS)) {
    return call->Finish(Wrong("parts", "the process is told by GetStats"));
  }
  const auto interval = IntervalOf(request, *parts);
  if (!interval.ok()) return call->Finish(interval.status());
  if (request.limit() > kLimitMax) {
    return call->Finish(Wrong("limit", Concat(request.limit(), " is more than ", kLimitMax)));
  }
  if (watchers_.size() >= kWatchersMax) {
    absl::Status status = absl::ResourceExhaustedError(
        Concat("there are ", kWatchersMax, " who watch statistics already"));
    return call->Finish(config::WithReason(config::WithRetry(std::move(status), kRetryMilliseconds),
                                           "TOO_MANY_WATCHERS"));
  }
  auto watcher = std::make_shared<Watcher>();
  watcher->call = call;
  watcher->parts = *parts;
  watcher->interval = *interval;
  watcher->limit = request.limit() == 0 ? kLimitDefault : request.limit();
  watchers_.push_back(watcher);
  call->OnGone([this, raw = watcher.get()] {
    watchers_.remove_if([raw](const auto& each) { return each.get() == raw; });
  });
  Begin(watcher, hooks_.clock());
}

// A round of one watcher: the router is looked at first, if need be.
void StatsWatch::Begin(const std::shared_ptr<Watcher>& watcher, Time now) {
  watcher->due = now + watcher->interval;
  // Who has not read the last one hears of this time with the next.
  if (watcher->looking || !watcher->call->writable()) return;
  if (!Looks(watcher->parts)) return Tell(*watcher, now, Snapshot());
  ObserveWish wish;
  wish.connections = watcher->parts.contains(v1::STATS_PART_CONNECTIONS);
  wish.links = watcher->parts.contains(v1::STATS_PART_LINKS) ||
               watcher->parts.contains(v1::STATS_PART_ROUTES);
  const absl::Status asked = observing_.Observe(wish, [this, watcher](const Snapshot& snapshot) {
    watcher->looking = false;
    if (!watcher->call->ended()) Tell(*watcher, hooks_.clock(), snapshot);
  });
  // If too many look at it, so with the next.
  watcher->looking = asked.ok();
}

void StatsWatch::Tell(Watcher& watcher, Time now, const Snapshot& snapshot) {
  v1::WatchStatsResponse update;
  *update.mutable_time() = wall_.At(now);
  *update.mutable_stats() = StatsOf(hooks_.metrics(), watcher.parts, wall_, now);
  const bool is_first = watcher.told == kNever;
  const Duration span = is_first ? Duration{} : now - watcher.told;
  if (!is_first) {
    update.mutable_interval()->set_seconds(span.ns / kSecond.ns);
    update.mutable_interval()->set_nanos(static_cast<int32_t>(span.ns % kSecond.ns));
    AddRates(watcher.stats, span, update);
  }
  const auto fill = [&](v1::StatsPart part, auto top, auto add) {
    if (!watcher.parts.contains(part)) return;
    for (auto& row : top(snapshot, watcher.marks, span, watcher.limit)) add(std::move(row));
  };
  fill(v1::STATS_PART_ROUTES, TopRoutes,
       [&](v1::RouteRates row) { *update.add_route_rates() = std::move(row); });
  fill(v1::STATS_PART_CONNECTIONS, TopConnections,
       [&](v1::ConnectionRates row) { *update.add_connection_rates() = std::move(row); });
  fill(v1::STATS_PART_LINKS, TopLinks,
       [&](v1::LinkRates row) { *update.add_link_rates() = std::move(row); });
  watcher.told = now;
  watcher.due = now + watcher.interval;
  watcher.stats = update.stats();
  watcher.marks = MarksOf(snapshot);
  watcher.call->Write(update);
}

void StatsWatch::Tick(Time now) {
  // A call that ends takes its watcher out of the list.
  const std::list<std::shared_ptr<Watcher>> all = watchers_;
  for (const auto& watcher : all) {
    if (watcher->due <= now && !watcher->call->ended()) Begin(watcher, now);
  }
}

Time StatsWatch::NextDeadline() const {
  Time next = kNever;
  for (const auto& watcher : watchers_) next = std::min(next, watcher->due);
  return next;
}

}  // namespace trunkline::api
