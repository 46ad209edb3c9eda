#include "control/api/stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/error_details.h"
#include "live_world.h"

namespace trunkline::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class StatsTest : public testing::Test, public LiveWorld {
 protected:
  StatsTest()
      : stats_(observing, wall,
               {.clock = [this] { return now; },
                .metrics = [this] { return metrics_; },
                .process = [this] { return process_; }}) {
    handlers = stats_.MakeHandlers();
    metrics_.workers.resize(1);
    metrics_.workers[0].turn_began = kNever;
    metrics_.owners.resize(1);
    metrics_.owners[0].name = "amqp";
  }

  std::shared_ptr<SeenCall> Get(const std::vector<v1::StatsPart>& parts = {}) {
    v1::GetStatsRequest request;
    for (const auto part : parts) request.add_parts(part);
    return Do("StatsService/GetStats", request);
  }
  static v1::WatchStatsRequest Every(int64_t milliseconds,
                                     const std::vector<v1::StatsPart>& parts = {}) {
    v1::WatchStatsRequest request;
    request.mutable_interval()->set_seconds(milliseconds / 1000);
    request.mutable_interval()->set_nanos(static_cast<int32_t>(milliseconds % 1000) * 1'000'000);
    for (const auto part : parts) request.add_parts(part);
    return request;
  }
  std::shared_ptr<SeenCall> Watch(const v1::WatchStatsRequest& request) {
    return Do("StatsService/WatchStats", request);
  }
  // Time goes by; what is due is told.
  void Pass(Duration time) {
    now = now + time;
    stats_.Tick(now);
    Answer();
  }
  static const v1::WatchStatsResponse& Last(SeenCall& seen) {
    seen.Read();
    return seen.As<v1::WatchStatsResponse>(seen.replies.size() - 1);
  }

  RouterMetrics metrics_;
  v1::ProcessStats process_;
  StatsWatch stats_;
};

TEST_F(StatsTest, TellWhatTheRouterCounts) {
  metrics_.sums.connections_now = 1;
  metrics_.sums.connections_total = 2;
  metrics_.sums.deliveries_in = 30;
  metrics_.sums.accepted = 4;
  metrics_.sums.longest_turn = Milliseconds(1500);
  metrics_.links_in = 5;
  metrics_.unsettled = 6;
  metrics_.dropped = {{"no_credit", 7}};
  metrics_.faults = {{"framing", 8}};
  static constexpr uint64_t kBounds[] = {64, 256};
  metrics_.message_size = {kBounds, {1, 2, 3}, 999};
  EXPECT_EQ(Get({v1::STATS_PART_ROUTER})->replies.at(0)->ShortDebugString(),
            "time { seconds: 1700000100 } router { connections: 1 connections_total: 2 "
            "links_in: 5 deliveries_in: 30 dropped { key: \"no_credit\" value: 7 } accepted: 4 "
            "unsettled: 6 faults { key: \"framing\" value: 8 } "
            "longest_turn { seconds: 1 nanos: 500000000 } "
            "message_size { bounds: 64 bounds: 256 counts: 1 counts: 2 counts: 3 sum: 999 } "
            "forward_duration { } credit_wait { } turn_duration { } }");
}

TEST_F(StatsTest, TellOfWorkersAndOwners) {
  metrics_.workers[0] = {.turns = 9, .busy_ns = 1'500'000'000, .turn_began = now - kSecond};
  metrics_.owners[0].opened = 3;
  metrics_.owners[0].closed = {{"peer", 2}};
  metrics_.owners[0].sasl = {{.mechanism = "PLAIN", .ok = 1, .denied = 2, .error = 0}};
  metrics_.owners.push_back({.name = "b", .inbound = false});
  EXPECT_EQ(Get({v1::STATS_PART_WORKERS, v1::STATS_PART_OWNERS})->replies.at(0)->ShortDebugString(),
            "time { seconds: 1700000100 } "
            "workers { turns: 9 busy { seconds: 1 nanos: 500000000 } turn_age { seconds: 1 } } "
            "owners { name: \"connectors/b\" } "
            "owners { name: \"listeners/amqp\" opened: 3 closed { key: \"peer\" value: 2 } "
            "sasl { mechanism: \"PLAIN\" ok: 1 denied: 2 } }");
}

TEST_F(StatsTest, TellOfRouterWorkersAndOwnersUnlessTheyAreAskedForLess) {
  const auto seen = Get();
  const auto& stats = seen->As<v1::Stats>();
  EXPECT_TRUE(stats.has_router());
  EXPECT_THAT(stats.workers(), SizeIs(1));
  EXPECT_THAT(stats.owners(), SizeIs(1));
  EXPECT_FALSE(stats.workers(0).has_turn_age());
}

TEST_F(StatsTest, TellOfTheProcessOnlyWhoAsksOnce) {
  process_.set_descriptors_open(80);
  process_.set_descriptors_max(100);
  EXPECT_EQ(Get({v1::STATS_PART_PROCESS})->replies.at(0)->ShortDebugString(),
            "time { seconds: 1700000100 } "
            "process { descriptors_open: 80 descriptors_max: 100 }");
  EXPECT_FALSE(Get()->As<v1::Stats>().has_process());
  const auto seen = Watch(Every(1000, {v1::STATS_PART_PROCESS}));
  EXPECT_EQ(config::ReasonOf(seen->status()), "INVALID_FIELD");
}

TEST_F(StatsTest, RefusePartsThatAreNone) {
  for (const int part : {0, 8, 99, int{v1::STATS_PART_LINKS}}) {
    const auto seen = Get({static_cast<v1::StatsPart>(part)});
    EXPECT_EQ(config::ReasonOf(seen->status()), "INVALID_FIELD") << part;
    EXPECT_THAT(config::ViolationsOf(seen->status()), SizeIs(1));
  }
}

// --- rates

TEST_F(StatsTest, TellHowMuchThereIsPerSecond) {
  metrics_.sums.deliveries_in = 1000;
  const auto seen = Watch(Every(500));
  EXPECT_FALSE(Last(*seen).has_interval());
  EXPECT_FALSE(Last(*seen).has_router_rates());
  EXPECT_EQ(Last(*seen).stats().router().deliveries_in(), 1000u);
  EXPECT_EQ(stats_.NextDeadline(), now + Milliseconds(500));
  metrics_.sums.deliveries_in = 1250;
  metrics_.workers[0].busy_ns = 250'000'000;
  metrics_.owners[0].opened = 5;
  Pass(Milliseconds(499));
  EXPECT_THAT(seen->replies, SizeIs(1));
  Pass(Milliseconds(1));
  const auto& update = Last(*seen);
  EXPECT_EQ(update.interval().nanos(), 500'000'000);
  EXPECT_EQ(update.router_rates().deliveries_in(), 500);
  EXPECT_EQ(update.worker_rates(0).busy(), 0.5);
  EXPECT_EQ(update.owner_rates(0).name(), "listeners/amqp");
  EXPECT_EQ(update.owner_rates(0).opened(), 10);
}

TEST_F(StatsTest, TellThoseWhoReadSlowlyLessOften) {
  const auto seen = Watch(Every(1000));
  Pass(Seconds(1));  // the first has not been read
  metrics_.sums.deliveries_in = 400;
  Pass(Seconds(1));
  EXPECT_THAT(seen->replies, SizeIs(1));
  seen->Read();
  Pass(Seconds(2));
  ASSERT_THAT(seen->replies, SizeIs(2));
  EXPECT_EQ(Last(*seen).interval().seconds(), 4);
  EXPECT_EQ(Last(*seen).router_rates().deliveries_in(), 100);
}

// Rates of a shorter time than was asked for would jump about.
TEST_F(StatsTest, AreNotSoonerToldAfterALookThatTookLong) {
  const auto seen = Watch(Every(1000, {v1::STATS_PART_LINKS}));
  now = now + Milliseconds(300);
  Answer();
  Last(*seen);
  Pass(Milliseconds(999));
  EXPECT_THAT(seen->replies, SizeIs(1));
  Pass(Milliseconds(1));
  ASSERT_THAT(seen->replies, SizeIs(2));
  EXPECT_EQ(Last(*seen).interval().seconds(), 1);
}

// An owner that is made anew under its name counts from zero.
TEST_F(StatsTest, CountFromZeroWhatBeginsAnew) {
  metrics_.owners[0].opened = 100;
  const auto seen = Watch(Every(1000));
  seen->Read();
  metrics_.owners[0].opened = 3;
  Pass(Seconds(1));
  EXPECT_EQ(Last(*seen).owner_rates(0).opened(), 3);
}

TEST_F(StatsTest, TellTheBusiestLinksRoutesAndConnections) {
  router.connections = {FakeRouter::Open(1, "quiet"), FakeRouter::Open(2, "busy")};
  router.links = {FakeRouter::Attached(1, 1, "a"), FakeRouter::Attached(2, 2, "b"),
                  FakeRouter::Attached(2, 3, "b", false)};
  v1::WatchStatsRequest request =
      Every(1000, {v1::STATS_PART_LINKS, v1::STATS_PART_ROUTES, v1::STATS_PART_CONNECTIONS});
  request.set_limit(2);
  const auto seen = Watch(request);
  EXPECT_THAT(seen->replies, IsEmpty());  // the router is being looked at
  Answer();
  seen->Read();
  ASSERT_THAT(seen->replies, SizeIs(1));
  router.connections[1].bytes_in = 5000;
  router.links[1].deliveries = 300;
  router.links[2].deliveries = 200;
  router.links[2].undelivered = 7;
  // One that came meanwhile counts from its beginning.
  router.links.push_back(FakeRouter::Attached(1, 4, "new"));
  router.links.back().deliveries = 250;
  Pass(Seconds(1));
  const auto& update = Last(*seen);
  ASSERT_THAT(update.link_rates(), SizeIs(2));
  EXPECT_EQ(update.link_rates(0).name(), "connections/2/links/2");
  EXPECT_EQ(update.link_rates(0).deliveries(), 300);
  EXPECT_EQ(update.link_rates(1).name(), "connections/1/links/4");
  EXPECT_EQ(update.link_rates(1).deliveries(), 250);
  ASSERT_THAT(update.route_rates(), SizeIs(2));
  EXPECT_EQ(update.route_rates(0).ShortDebugString(),
            "name: \"routes/b\" address: \"b\" deliveries_in: 300 deliveries_out: 200 "
            "consumers: 1 producers: 1 undelivered: 7");
  EXPECT_EQ(update.route_rates(1).name(), "routes/new");
  ASSERT_THAT(update.connection_rates(), SizeIs(2));
  EXPECT_EQ(update.connection_rates(0).container(), "busy");
  EXPECT_EQ(update.connection_rates(0).bytes_received(), 5000);
  EXPECT_FALSE(update.stats().has_router());
}

TEST_F(StatsTest, SkipARoundInWhichTooManyLook) {
  const auto seen = Watch(Every(1000, {v1::STATS_PART_LINKS}));
  Answer();
  seen->Read();
  router.refusal = absl::ResourceExhaustedError("too many");
  Pass(Seconds(1));
  EXPECT_THAT(seen->replies, SizeIs(1));
  router.refusal = absl::OkStatus();
  Pass(Seconds(1));
  EXPECT_EQ(Last(*seen).interval().seconds(), 2);
}

// --- limits

TEST_F(StatsTest, HaveIntervalsWithinBounds) {
  for (const int64_t milliseconds : {99, 0, -1, 3'600'001}) {
    EXPECT_EQ(config::ReasonOf(Watch(Every(milliseconds))->status()), "INVALID_FIELD");
  }
  for (const int64_t milliseconds : {100, 3'600'000}) {
    EXPECT_FALSE(Watch(Every(milliseconds))->end.has_value());
  }
  // Looking at every link takes longer.
  EXPECT_EQ(config::ReasonOf(Watch(Every(999, {v1::STATS_PART_LINKS}))->status()), "INVALID_FIELD");
  EXPECT_FALSE(Watch(Every(1000, {v1::STATS_PART_LINKS}))->end.has_value());
  v1::WatchStatsRequest request;
  request.set_limit(1000);
  EXPECT_FALSE(Watch(request)->end.has_value());
  request.set_limit(1001);
  EXPECT_EQ(config::ReasonOf(Watch(request)->status()), "INVALID_FIELD");
}

TEST_F(StatsTest, HaveSoManyWatchersAndNotOneMore) {
  std::vector<std::shared_ptr<SeenCall>> all;
  for (size_t i = 0; i < StatsWatch::kWatchersMax; ++i) {
    all.push_back(Watch({}));
    EXPECT_FALSE(all.back()->end.has_value());
  }
  EXPECT_EQ(config::ReasonOf(Watch({})->status()), "TOO_MANY_WATCHERS");
  all[3]->HangUp();
  EXPECT_FALSE(Watch({})->end.has_value());
  for (const auto& seen : all) seen->HangUp();
  EXPECT_EQ(stats_.watchers(), 1u);
}

TEST_F(StatsTest, WhoGoesWhileTheRouterIsLookedAtIsForgotten) {
  const auto seen = Watch(Every(1000, {v1::STATS_PART_LINKS}));
  seen->HangUp();
  Answer();
  Pass(Seconds(1));
  EXPECT_THAT(seen->replies, IsEmpty());
  EXPECT_EQ(stats_.NextDeadline(), kNever);
}

}  // namespace
}  // namespace trunkline::api
