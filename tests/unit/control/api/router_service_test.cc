#include "control/api/router_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/api/method_table.h"
#include "control/config/error_details.h"

namespace trunkline::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A service whose router is these few values.
class RouterServiceTest : public testing::Test {
 protected:
  RouterServiceTest()
      : service_({.version = "1.2.3",
                  .router_id = "east",
                  .start_time = 1'700'000'000'250,
                  .libraries = {{"openssl", "3"}}},
                 {.load = [this] { return load_; },
                  .now = [this] { return now_; },
                  .drain =
                      [this](std::optional<Duration> limit) {
                        drains_.push_back(limit);
                        service_.OnDraining();
                      },
                  .shutdown = [this](auto limit) { shutdowns_.push_back(limit); }}),
        handlers_(service_.MakeHandlers()) {}

  // What a caller sees of its call.
  struct Seen {
    std::vector<std::string> replies;
    std::vector<absl::Status> ends;
    std::shared_ptr<Call> call;  // tells the others of its end
  };
  Seen* Ask(const std::string& name, const google::protobuf::Message& request) {
    Seen* seen = seen_.emplace_back(std::make_unique<Seen>()).get();
    const Method& method = *table_.Find("/trunkline.control.v1.RouterService/" + name);
    auto copy = method.NewRequest();
    copy->CopyFrom(request);
    seen->call = std::make_shared<Call>(
        method, std::move(copy), Caller{"local"},
        Call::Exits{
            .write = [seen](const auto& m) { seen->replies.push_back(m.ShortDebugString()); },
            .finish = [seen](const absl::Status& status) { seen->ends.push_back(status); }});
    handlers_.at("RouterService/" + name)(seen->call);
    return seen;
  }
  static v1::DrainRequest Within(int64_t seconds) {
    v1::DrainRequest request;
    request.mutable_timeout()->set_seconds(seconds);
    return request;
  }

  const MethodTable table_;
  std::vector<std::unique_ptr<Seen>> seen_;  // outlives the calls
  RouterService::Load load_;
  Time now_{1};
  std::vector<std::optional<Duration>> drains_;
  std::vector<std::optional<Duration>> shutdowns_;
  RouterService service_;
  Handlers handlers_;
};

TEST_F(RouterServiceTest, SaysWhatItIs) {
  EXPECT_THAT(Ask("GetVersion", v1::GetVersionRequest())->replies,
              ElementsAre("version: \"1.2.3\" api_version: \"v1\" router_id: \"east\" "
                          "start_time { seconds: 1700000000 nanos: 250000000 } "
                          "libraries { key: \"openssl\" value: \"3\" }"));
}

TEST_F(RouterServiceTest, TellsTheProblemsOfATextInOrderOfPlace) {
  v1::ValidateConfigRequest request;
  request.set_yaml("router: {workers: 99}\ncontrol: {socket: here}\n");
  EXPECT_THAT(
      Ask("ValidateConfig", request)->replies,
      ElementsAre(
          "problems { line: 1 column: 19 field: \"router.workers\" description: \"99 is not "
          "in 0..16\" } problems { line: 2 column: 19 field: \"control.socket\" "
          "description: \"\\\"here\\\" is neither \\\"none\\\" nor begins with \\\"/\\\"\" "
          "}"));
}

TEST_F(RouterServiceTest, TellsHowFarADrainIs) {
  load_ = {.connections = 3, .unsettled = 7};
  const Seen* seen = Ask("Drain", Within(5));
  EXPECT_THAT(drains_, ElementsAre(Seconds(5)));
  EXPECT_EQ(service_.due(), now_ + Seconds(1));
  load_ = {.connections = 1};
  now_ = service_.due();
  service_.OnTime(now_);  // the first answer is still on its way
  EXPECT_EQ(seen->replies.size(), 1u);
  seen->call->Written();
  now_ = service_.due();
  service_.OnTime(now_);
  seen->call->Written();
  service_.OnDrained(/*complete=*/false, /*given_up=*/2);
  EXPECT_THAT(seen->replies, ElementsAre("connections: 3 unsettled: 7", "connections: 1",
                                         "unsettled: 2 done: true"));
  ASSERT_EQ(seen->ends.size(), 1u);
  EXPECT_TRUE(seen->ends[0].ok());
  EXPECT_EQ(service_.due(), kNever);
}

TEST_F(RouterServiceTest, WhoAsksForADrainThatIsUnderWayFollowsIt) {
  const Seen* first = Ask("Drain", v1::DrainRequest());
  const Seen* second = Ask("Drain", Within(1));
  EXPECT_THAT(drains_, ElementsAre(std::nullopt));
  first->call->Written();
  second->call->Written();
  service_.OnDrained(true, 0);
  const Seen* late = Ask("Drain", v1::DrainRequest());
  for (const Seen* seen : {first, second, late}) {
    EXPECT_EQ(seen->replies.back(), "done: true complete: true");
    EXPECT_TRUE(seen->call->ended());
  }
}

TEST_F(RouterServiceTest, ADrainGoesOnWithoutThoseWhoHaveLeft) {
  const Seen* seen = Ask("Drain", v1::DrainRequest());
  seen->call->Gone(absl::CancelledError());
  service_.OnTime(now_);
  EXPECT_EQ(service_.due(), kNever);
  service_.OnDrained(true, 0);
  EXPECT_EQ(seen->replies.size(), 1u);
}

TEST_F(RouterServiceTest, AnswersBeforeItShutsDown) {
  v1::ShutdownRequest request;
  request.mutable_timeout()->set_seconds(0);
  const Seen* seen = Ask("Shutdown", request);
  EXPECT_THAT(shutdowns_, ElementsAre(Duration()));
  EXPECT_TRUE(seen->ends[0].ok());
  EXPECT_TRUE(Ask("Shutdown", v1::ShutdownRequest())->ends[0].ok());
  EXPECT_EQ(shutdowns_[1], std::nullopt);
}

TEST_F(RouterServiceTest, LimitsAreWithinAnHour) {
  for (const int64_t seconds : {int64_t{-1}, int64_t{3601}, int64_t{1} << 60}) {
    const Seen* seen = Ask("Drain", Within(seconds));
    ASSERT_EQ(seen->ends.size(), 1u);
    EXPECT_EQ(seen->ends[0].code(), absl::StatusCode::kInvalidArgument) << seconds;
    EXPECT_THAT(config::ViolationsOf(seen->ends[0]),
                ElementsAre(config::FieldViolation{"timeout", "is not in 0s..1h"}));
  }
  EXPECT_THAT(drains_, IsEmpty());
  EXPECT_FALSE(Ask("Drain", Within(3600))->call->ended());
  EXPECT_THAT(drains_, ElementsAre(Seconds(3600)));
}

}  // namespace
}  // namespace trunkline::api
