#include "control/api/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/api/method_table.h"
#include "control/config/error_details.h"

namespace trunkline::api {
namespace {

using testing::ElementsAre;

// Events of a router, and those who watch them.
class EventsTest : public testing::Test {
 protected:
  // One who watches. What it is told is written down: "type subject", or "!" for a bookmark.
  struct Watcher {
    std::vector<std::string> told;
    std::string token;
    std::optional<absl::Status> end;
    std::shared_ptr<Call> call;

    std::vector<std::string> Told() { return std::exchange(told, {}); }
    std::string reason() const { return end ? config::ReasonOf(*end) : "under way"; }
  };

  explicit EventsTest(Events::Options options = {.events_max = 4, .watchers_max = 3})
      : events_("epoch", {.clock = [this] { return now_; }, .wall_clock = [] { return 1500; }},
                options),
        handlers_(events_.MakeHandlers()) {}

  Watcher* Watch(const v1::WatchEventsRequest& request = {}) {
    Watcher* watcher = watchers_.emplace_back(std::make_unique<Watcher>()).get();
    const Method& method = *table_.Find("/trunkline.control.v1.RouterService/WatchEvents");
    watcher->call = std::make_shared<Call>(
        method, std::make_unique<v1::WatchEventsRequest>(request), Caller{"local"},
        Call::Exits{.write = [watcher](const auto& message) { Note(*watcher, message); },
                    .finish = [watcher](const auto& status) { watcher->end = status; }});
    handlers_.at("RouterService/WatchEvents")(watcher->call);
    return watcher;
  }
  static void Note(Watcher& watcher, const google::protobuf::Message& message) {
    const auto& answer = static_cast<const v1::WatchEventsResponse&>(message);
    watcher.token = answer.resume_token();
    watcher.told.push_back(
        answer.has_bookmark() ? "!" : answer.happened().type() + " " + answer.happened().subject());
  }
  // Lets it read until nothing more comes.
  std::vector<std::string> Read(Watcher* watcher) {
    while (!watcher->call->ended() && !watcher->call->writable()) watcher->call->Written();
    return watcher->Told();
  }
  void Happen(const std::string& type, const std::string& subject = "router") {
    events_.Add({.type = type, .subject = subject, .message = ""});
    events_.OnTime(now_);
  }
  v1::WatchEventsRequest Since(const std::string& token) {
    v1::WatchEventsRequest request;
    request.set_resume_token(token);
    return request;
  }

  const MethodTable table_;
  Time now_{1'000'000'000};
  std::vector<std::unique_ptr<Watcher>> watchers_;  // outlives the calls
  Events events_;
  Handlers handlers_;
};

TEST_F(EventsTest, TellsWhatHappensFromTheBeginningOfTheWatchOn) {
  Happen("listener.up");
  Watcher* watcher = Watch();
  EXPECT_THAT(Read(watcher), ElementsAre("!"));
  EXPECT_EQ(events_.due(), now_ + Seconds(30));  // its first heartbeat
  events_.Add({.type = "connection.opened", .subject = "connections/1", .message = "hello"});
  EXPECT_EQ(events_.due(), Time());
  events_.OnTime(now_);
  EXPECT_THAT(Read(watcher), ElementsAre("connection.opened connections/1"));
  EXPECT_EQ(events_.due(), now_ + Seconds(30));
}

TEST_F(EventsTest, TellsAsMuchOfThePastAsItIsAskedFor) {
  for (const char* type : {"a", "b", "c"}) Happen(type);
  v1::WatchEventsRequest request;
  request.set_backlog(2);
  EXPECT_THAT(Read(Watch(request)), ElementsAre("b router", "c router", "!"));
  request.set_backlog(UINT32_MAX);
  EXPECT_THAT(Read(Watch(request)), ElementsAre("a router", "b router", "c router", "!"));
}

TEST_F(EventsTest, KeepsTheLastEventsOnly) {
  for (const char* type : {"a", "b", "c", "d", "e"}) Happen(type);
  v1::WatchEventsRequest request;
  request.set_backlog(5);
  EXPECT_THAT(Read(Watch(request)),
              ElementsAre("b router", "c router", "d router", "e router", "!"));
}

TEST_F(EventsTest, ATokenIsGoodAsLongAsNothingBehindItIsForgotten) {
  Watcher* watcher = Watch();
  Read(watcher);
  const std::string token = watcher->token;
  watcher->call->Gone(absl::CancelledError());
  for (const char* type : {"a", "b", "c", "d"}) Happen(type);
  EXPECT_THAT(Read(Watch(Since(token))),
              ElementsAre("a router", "b router", "c router", "d router", "!"));
  Happen("e");
  EXPECT_EQ(Watch(Since(token))->reason(), "RESUME_TOKEN_EXPIRED");
}

TEST_F(EventsTest, RefusesTokensOfOthersAndOfOtherFilters) {
  Watcher* watcher = Watch();
  const std::string token = watcher->token;
  ASSERT_TRUE(token.starts_with("epoch-")) << token;
  EXPECT_EQ(Watch(Since("other" + token.substr(5)))->reason(), "RESUME_TOKEN_EXPIRED");
  EXPECT_EQ(Watch(Since("nonsense"))->reason(), "RESUME_TOKEN_EXPIRED");
  EXPECT_EQ(Watch(Since(token + "9"))->reason(), "RESUME_TOKEN_EXPIRED");  // of the future
  v1::WatchEventsRequest request = Since(token);
  request.set_filter("type = a");
  const Watcher* filtered = Watch(request);
  ASSERT_TRUE(filtered->end);
  EXPECT_EQ(filtered->end->code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(EventsTest, AFilterLeavesEventsOut) {
  v1::WatchEventsRequest request;
  request.set_filter("type:connection AND fields.owner = \"listeners/amqp\"");
  Watcher* watcher = Watch(request);
  Happen("connection.opened");
  events_.Add({.type = "connection.opened",
               .subject = "connections/2",
               .message = "",
               .fields = {{"owner", "listeners/amqp"}}});
  events_.OnTime(now_);
  EXPECT_THAT(Read(watcher), ElementsAre("!", "connection.opened connections/2"));
}

TEST_F(EventsTest, RefusesAFilterThatIsWrong) {
  v1::WatchEventsRequest request;
  request.set_filter("nothing = 1");
  EXPECT_EQ(Watch(request)->reason(), "INVALID_FILTER");
}

// At the limit it is told everything, one event further it is cut off; others are not.
TEST_F(EventsTest, EndsAWatchThatIsTooSlow) {
  Watcher* slow = Watch();
  Watcher* quick = Watch();
  Read(quick);
  for (const char* type : {"a", "b", "c", "d"}) {
    Happen(type);
    Read(quick);
  }
  EXPECT_FALSE(slow->end);
  Happen("e");
  EXPECT_EQ(slow->reason(), "WATCH_TOO_SLOW");
  EXPECT_THAT(Read(quick), ElementsAre("e router"));
  EXPECT_EQ(events_.watchers(), 1u);
}

// What a filter leaves out needs no writing, so nobody can be slow at it.
TEST_F(EventsTest, AWatchThatIsToldNothingIsNeverTooSlow) {
  v1::WatchEventsRequest request;
  request.set_filter("type = never");
  Watcher* watcher = Watch(request);
  Read(watcher);
  for (int i = 0; i < 100; ++i) Happen("a");
  EXPECT_FALSE(watcher->end);
}

TEST_F(EventsTest, ABookmarkComesAfterASilence) {
  v1::WatchEventsRequest request;
  request.mutable_heartbeat()->set_seconds(5);
  Watcher* watcher = Watch(request);
  Read(watcher);
  EXPECT_EQ(events_.due(), now_ + Seconds(5));
  now_ = now_ + Seconds(4);
  Happen("a");
  EXPECT_EQ(events_.due(), now_ + Seconds(5));
  EXPECT_THAT(Read(watcher), ElementsAre("a router"));
  now_ = events_.due();
  events_.OnTime(now_);
  EXPECT_THAT(Read(watcher), ElementsAre("!"));
  EXPECT_THAT(Read(Watch(Since(watcher->token))), ElementsAre("!"));
}

TEST_F(EventsTest, WithoutAHeartbeatNothingIsDue) {
  v1::WatchEventsRequest request;
  request.mutable_heartbeat();
  Read(Watch(request));
  EXPECT_EQ(events_.due(), kNever);
}

TEST_F(EventsTest, TakesNoMoreWatchersThanItMay) {
  Watcher* first = Watch();
  Watch();
  Watch();
  EXPECT_EQ(Watch()->reason(), "TOO_MANY_WATCHERS");
  first->call->Gone(absl::CancelledError());
  EXPECT_EQ(events_.watchers(), 2u);
  EXPECT_EQ(Watch()->reason(), "under way");
}

TEST_F(EventsTest, TextsOfPeersAreCutAndMadeUtf8) {
  events_.Add({.type = "connection.opened",
               .subject = "connections/1",
               .message = "a\xff" + std::string(600, 'x'),
               .fields = {{"user", ""}, {"container_id", "\xc3"}}});
  v1::WatchEventsRequest request;
  request.set_backlog(1);
  const Method& method = *table_.Find("/trunkline.control.v1.RouterService/WatchEvents");
  v1::Event told;
  auto call = std::make_shared<Call>(
      method, std::make_unique<v1::WatchEventsRequest>(request), Caller{"local"},
      Call::Exits{.write =
                      [&](const auto& message) {
                        told = static_cast<const v1::WatchEventsResponse&>(message).happened();
                      },
                  .finish = [](const auto&) {}});
  handlers_.at("RouterService/WatchEvents")(call);
  EXPECT_TRUE(told.message().starts_with("a\uFFFDxxx"));
  EXPECT_LE(told.message().size(), 520u);
  EXPECT_EQ(told.fields().at("container_id"), "\uFFFD");
  EXPECT_FALSE(told.fields().contains("user"));
  EXPECT_EQ(told.time().seconds(), 1);
  EXPECT_EQ(told.time().nanos(), 500'000'000);
}

}  // namespace
}  // namespace trunkline::api
