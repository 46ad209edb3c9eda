#include "control/api/connections_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "control/config/error_details.h"
#include "live_world.h"

namespace trunkline::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class ConnectionsWatchTest : public testing::Test, public LiveWorld {
 protected:
  ConnectionsWatchTest() : watch_(observing, wall, random, [this] { return now; }) {
    handlers["ConnectionService/WatchConnections"] = [this](const auto& call) {
      watch_.Serve(call);
    };
  }

  std::shared_ptr<SeenCall> Watch(const std::string& filter = "", const std::string& token = "") {
    v1::WatchConnectionsRequest request;
    request.set_filter(filter);
    request.set_resume_token(token);
    return Do("ConnectionService/WatchConnections", request);
  }
  // "+17", "~17", "-17", "." for a bookmark and "=" for Synced.
  static std::vector<std::string> Told(SeenCall& seen) {
    seen.Read();
    std::vector<std::string> told;
    for (const auto& reply : seen.replies) {
      const auto& event = static_cast<const v1::WatchConnectionsResponse&>(*reply);
      if (event.has_added()) told.push_back(absl::StrCat("+", event.added().id()));
      if (event.has_modified()) told.push_back(absl::StrCat("~", event.modified().id()));
      if (event.has_deleted()) told.push_back(absl::StrCat("-", event.deleted().id()));
      if (event.has_bookmark()) told.push_back(".");
      if (event.has_synced()) told.push_back("=");
    }
    seen.replies.clear();
    return told;
  }
  void Up(uint64_t id) {
    router.connections.push_back(FakeRouter::Open(id));
    watch_.OnEvent(UpOf(id));
  }
  static ConnectionUp UpOf(uint64_t id) {
    ConnectionUp up;
    up.id = id;
    up.owner = "amqp";
    up.peer = "10.0.0.1:4711";
    up.local = "10.0.0.2:5672";
    up.container_id = "client";
    up.opened = Time{Seconds(5).ns};
    return up;
  }
  void Down(uint64_t id) {
    std::erase_if(router.connections, [&](const auto& each) { return each.id == id; });
    ConnectionDown down;
    down.id = id;
    down.was_open = true;
    watch_.OnEvent(down);
  }

  ConnectionsWatch watch_;
};

TEST_F(ConnectionsWatchTest, TellsWhatIsThereThenWhatComesAndGoes) {
  Up(1);
  Up(2);
  const auto seen = Watch();
  EXPECT_THAT(Told(*seen), IsEmpty());  // the router has not answered
  Answer();
  EXPECT_THAT(Told(*seen), ElementsAre("+1", "+2", "="));
  Up(3);
  Down(1);
  EXPECT_THAT(Told(*seen), ElementsAre("+3", "-1"));
}

// What the router tells of it and what an event does are the same.
TEST_F(ConnectionsWatchTest, TellsNothingTwice) {
  const auto seen = Watch();
  Up(1);  // the router sees it as well
  Answer();
  EXPECT_THAT(Told(*seen), ElementsAre("+1", "="));
}

TEST_F(ConnectionsWatchTest, DoesNotTellOneThatLeftWhileTheRouterWasLookedAt) {
  Up(1);
  Up(2);
  const auto seen = Watch();
  const std::vector<Observed> answers = router.Answers();  // with both
  Down(1);
  for (const Observed& answer : answers) observing.OnObserved(answer);
  EXPECT_THAT(Told(*seen), ElementsAre("+2", "="));
}

TEST_F(ConnectionsWatchTest, TellsOneThatCameWhileTheRouterWasLookedAt) {
  const auto seen = Watch();
  const std::vector<Observed> answers = router.Answers();  // without it
  Up(1);
  for (const Observed& answer : answers) observing.OnObserved(answer);
  EXPECT_THAT(Told(*seen), ElementsAre("+1", "="));
}

TEST_F(ConnectionsWatchTest, DoesNotTellThoseThatAreNotOpen) {
  router.connections = {FakeRouter::Open(1)};
  router.connections[0].phase = ConnectionState::Phase::kHandshake;
  const auto seen = Watch();
  Answer();
  EXPECT_THAT(Told(*seen), ElementsAre("="));
}

TEST_F(ConnectionsWatchTest, TellsNothingOfTraffic) {
  Up(1);
  router.connections[0].bytes_in = 1000;
  const auto seen = Watch();
  Answer();
  seen->Read();
  EXPECT_FALSE(seen->As<v1::WatchConnectionsResponse>().added().has_traffic());
  EXPECT_EQ(seen->As<v1::WatchConnectionsResponse>().added().state(), v1::Connection::STATE_OPEN);
}

TEST_F(ConnectionsWatchTest, ManyShareOneLook) {
  Up(1);
  const auto first = Watch();
  const auto second = Watch("id = 2");
  Answer();
  const auto third = Watch();
  EXPECT_THAT(router.asked, SizeIs(1));
  EXPECT_THAT(Told(*first), ElementsAre("+1", "="));
  EXPECT_THAT(Told(*second), ElementsAre("="));
  EXPECT_THAT(Told(*third), ElementsAre("+1", "="));
  Up(2);
  EXPECT_THAT(Told(*second), ElementsAre("+2"));
}

TEST_F(ConnectionsWatchTest, GoesOnWhereATokenSays) {
  Up(1);
  const auto first = Watch();
  Answer();
  first->Read();
  const std::string token = first->As<v1::WatchConnectionsResponse>(1).resume_token();
  first->HangUp();
  Up(2);
  Down(1);
  const auto second = Watch("", token);
  EXPECT_THAT(Told(*second), ElementsAre("+2", "-1", "="));
}

TEST_F(ConnectionsWatchTest, KeepsNothingWhenNobodyHasWatchedForLong) {
  Up(1);
  EXPECT_EQ(watch_.resources(), 0u);
  const auto first = Watch();
  Answer();
  EXPECT_EQ(watch_.resources(), 1u);
  first->Read();
  const std::string token = first->As<v1::WatchConnectionsResponse>(1).resume_token();
  watch_.Tick(now);
  first->HangUp();
  watch_.Tick(now);
  EXPECT_EQ(watch_.NextDeadline(), now + ConnectionsWatch::kKept);
  now = now + ConnectionsWatch::kKept;
  watch_.Tick(now);
  EXPECT_EQ(watch_.resources(), 0u);
  EXPECT_EQ(watch_.NextDeadline(), kNever);
  // A token of that time means nothing any more.
  const auto second = Watch("", token);
  Answer();
  EXPECT_EQ(second->status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(config::ReasonOf(second->status()), "RESUME_TOKEN_EXPIRED");
}

TEST_F(ConnectionsWatchTest, LooksAgainWhenEventsWereLost) {
  Up(1);
  Up(2);
  const auto seen = Watch();
  Answer();
  EXPECT_THAT(Told(*seen), ElementsAre("+1", "+2", "="));
  // What these did was not told.
  router.connections = {FakeRouter::Open(2), FakeRouter::Open(3)};
  watch_.OnEvent(EventsLost{2});
  watch_.Tick(now);
  Answer();
  EXPECT_THAT(Told(*seen), ElementsAre("+3", "-1"));
  EXPECT_THAT(router.asked, SizeIs(2));
}

TEST_F(ConnectionsWatchTest, LooksAgainAsSoonAsItMay) {
  const auto seen = Watch();
  Answer();
  router.refusal = absl::ResourceExhaustedError("too many");
  watch_.OnEvent(EventsLost{1});
  watch_.Tick(now);
  router.refusal = absl::OkStatus();
  router.connections = {FakeRouter::Open(1)};
  watch_.Tick(now);
  Answer();
  EXPECT_THAT(Told(*seen), ElementsAre("=", "+1"));
}

TEST_F(ConnectionsWatchTest, RefusesWhatIsWrongAndWhatIsTooMuch) {
  const auto wrong = Watch("nothing = 1");
  EXPECT_EQ(config::ReasonOf(wrong->status()), "INVALID_FILTER");
  router.refusal = absl::ResourceExhaustedError("too many");
  const auto refused = Watch();
  EXPECT_EQ(config::ReasonOf(refused->status()), "TOO_MANY_OBSERVATIONS");
  router.refusal = absl::OkStatus();
  const auto seen = Watch();
  Answer();
  EXPECT_THAT(Told(*seen), ElementsAre("="));
  EXPECT_EQ(config::ReasonOf(Watch("nothing = 1")->status()), "INVALID_FILTER");
}

TEST_F(ConnectionsWatchTest, WhoGoesBeforeTheAnswerIsForgotten) {
  const auto seen = Watch();
  seen->HangUp();
  Answer();
  EXPECT_THAT(Told(*seen), IsEmpty());
}

}  // namespace
}  // namespace trunkline::api
