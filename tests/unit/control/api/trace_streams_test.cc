#include "control/api/trace_streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "control/api/method_table.h"
#include "control/config/error_details.h"

namespace trunkline::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Time kStart{10'000'000'000};

// A router that is these few values, and callers who look at it.
class TraceStreamsTest : public testing::Test {
 protected:
  struct Asked {
    std::vector<std::unique_ptr<google::protobuf::Message>> replies;
    std::optional<absl::Status> end;
    std::shared_ptr<Call> call;

    std::string reason() const { return end ? config::ReasonOf(*end) : "under way"; }
    std::string field() const {
      const auto violations = config::ViolationsOf(*end);
      return violations.empty() ? "" : violations[0].field;
    }
    void Read() {
      while (!call->ended() && !call->writable()) call->Written();
    }
  };

  TraceStreamsTest()
      : streams_({.open_tap = [this](const TapSpec& spec) -> absl::StatusOr<uint64_t> {
                    if (spec.address == "bad") return absl::InvalidArgumentError("no pattern");
                    taps_[++last_] = spec;
                    return last_;
                  },
                  .open_frames = [this](const FrameTraceSpec& spec) -> absl::StatusOr<uint64_t> {
                    if (spec.connection == 404) return absl::NotFoundError("none");
                    frame_traces_[++last_] = spec;
                    return last_;
                  },
                  .take_samples =
                      [this](uint64_t) {
                        ++takes_;
                        auto taken = samples_;
                        samples_.samples.clear();
                        return taken;
                      },
                  .take_frames =
                      [this](uint64_t) {
                        auto taken = frames_;
                        frames_.samples.clear();
                        return taken;
                      },
                  .stop =
                      [this](uint64_t number) {
                        taps_.erase(number);
                        frame_traces_.erase(number);
                      },
                  .is_there = [this](uint64_t connection) { return there_.contains(connection); },
                  .clock = [] { return kStart; },
                  .wall_clock = [] { return 100'000; },
                  .document = [this]() -> const config::Document& { return document_; }}),
        handlers_(streams_.MakeHandlers()) {
    document_.listeners["amqp"];
    document_.connectors["broker"];
  }

  template <typename Request>
  Asked* Ask(const Request& request, v1::AccessRole role = v1::ACCESS_ROLE_ADMIN) {
    constexpr bool kTap = std::is_same_v<Request, v1::TapMessagesRequest>;
    const std::string name = kTap ? "TapMessages" : "TraceFrames";
    Asked* asked = asked_.emplace_back(std::make_unique<Asked>()).get();
    const Method& method = *table_.Find("/trunkline.control.v1.TraceService/" + name);
    asked->call = std::make_shared<Call>(
        method, std::make_unique<Request>(request), Caller{"cn:me", role},
        Call::Exits{.write =
                        [asked](const auto& message) {
                          asked->replies.emplace_back(message.New());
                          asked->replies.back()->CopyFrom(message);
                        },
                    .finish = [asked](const auto& status) { asked->end = status; }});
    handlers_.at("TraceService/" + name)(asked->call);
    return asked;
  }
  void See(const std::string& address, Time at = kStart) {
    MessageSample sample;
    sample.at = at;
    sample.address = address;
    samples_.samples.push_back(sample);
  }
  // Addresses of the samples that came.
  static std::vector<std::string> Told(Asked* asked) {
    asked->Read();
    std::vector<std::string> told;
    for (const auto& reply : std::exchange(asked->replies, {})) {
      const auto& answer = static_cast<const v1::TapMessagesResponse&>(*reply);
      told.push_back(answer.has_sample() ? answer.sample().address() : "begun");
    }
    return told;
  }
  static std::vector<std::string> Frames(Asked* asked) {
    asked->Read();
    std::vector<std::string> told;
    for (const auto& reply : std::exchange(asked->replies, {})) {
      const auto& answer = static_cast<const v1::TraceFramesResponse&>(*reply);
      told.push_back(answer.has_frame() ? answer.frame().text() : "begun");
    }
    return told;
  }
  static v1::TraceFramesRequest OfConnection(const std::string& name) {
    v1::TraceFramesRequest request;
    request.set_connection(name);
    return request;
  }

  const MethodTable table_;
  config::Document document_;
  std::vector<std::unique_ptr<Asked>> asked_;  // outlives the calls
  uint64_t last_ = 0;
  int takes_ = 0;
  std::map<uint64_t, TapSpec> taps_;
  std::map<uint64_t, FrameTraceSpec> frame_traces_;
  std::set<uint64_t> there_;  // connections
  Samples<MessageSample> samples_;
  Samples<TracedFrame> frames_;
  TraceStreams streams_;
  Handlers handlers_;
};

TEST_F(TraceStreamsTest, SaysThatItHasBegunThenTellsWhatIsSeen) {
  v1::TapMessagesRequest request;
  request.set_address("orders/#");
  request.set_one_in(7);
  request.set_per_second(50);
  request.set_body_bytes(10);
  Asked* asked = Ask(request);
  ASSERT_THAT(taps_, SizeIs(1));
  EXPECT_EQ(taps_[1].address, "orders/#");
  EXPECT_EQ(taps_[1].one_in, 7u);
  EXPECT_EQ(taps_[1].per_second, 50u);
  EXPECT_EQ(taps_[1].body_bytes, 10u);
  EXPECT_THAT(Told(asked), ElementsAre("begun"));
  See("a");
  See("b");
  streams_.OnWoken();
  EXPECT_THAT(Told(asked), ElementsAre("a", "b"));
  EXPECT_FALSE(asked->end);
}

TEST_F(TraceStreamsTest, TellsAllThatIsKnownOfAMessage) {
  Asked* asked = Ask(v1::TapMessagesRequest());
  Told(asked);
  MessageSample sample;
  sample.at = kStart - Milliseconds(1500);
  sample.from = {7, 33};
  sample.address = "orders\xff";
  sample.to = {{8, 34}, {9, 35}};
  sample.copies = 3;
  sample.size = 1000;
  sample.settled = true;
  sample.complete = true;
  sample.message_format = 1;
  sample.header = {{"priority", "7"}};
  sample.properties = {{"to", "orders"}};
  sample.application_properties = {{"count", "3"}};
  sample.body = std::string("\0\xff", 2);
  samples_.samples.push_back(sample);
  streams_.OnWoken();
  ASSERT_THAT(asked->replies, SizeIs(1));
  const auto& told = static_cast<const v1::TapMessagesResponse&>(*asked->replies[0]).sample();
  EXPECT_EQ(told.time().seconds(), 98);
  EXPECT_EQ(told.time().nanos(), 500'000'000);
  EXPECT_EQ(told.from(), "connections/7/links/33");
  EXPECT_THAT(told.to(), ElementsAre("connections/8/links/34", "connections/9/links/35"));
  EXPECT_EQ(told.address(), "orders\uFFFD");
  EXPECT_EQ(told.copies(), 3u);
  EXPECT_EQ(told.size(), 1000u);
  EXPECT_TRUE(told.settled());
  EXPECT_EQ(told.header().at("priority"), "7");
  EXPECT_EQ(told.properties().at("to"), "orders");
  EXPECT_EQ(told.application_properties().at("count"), "3");
  EXPECT_EQ(told.body(), std::string("\0\xff", 2));
}

TEST_F(TraceStreamsTest, EndsAfterSoManySamples) {
  v1::TapMessagesRequest request;
  request.set_limit(2);
  Asked* asked = Ask(request);
  for (const char* address : {"a", "b", "c"}) See(address);
  streams_.OnWoken();
  EXPECT_THAT(Told(asked), ElementsAre("begun", "a", "b"));
  ASSERT_TRUE(asked->end);
  EXPECT_TRUE(asked->end->ok());
  EXPECT_THAT(taps_, IsEmpty());
  EXPECT_EQ(streams_.streams(), 0u);
}

TEST_F(TraceStreamsTest, StopsWhenTheCallerHasGone) {
  Asked* asked = Ask(v1::TapMessagesRequest());
  asked->call->Gone(absl::CancelledError());
  EXPECT_THAT(taps_, IsEmpty());
  streams_.OnWoken();
  EXPECT_EQ(takes_, 0);
}

// Nothing is fetched that nobody reads: it is the router's queue that is full then.
TEST_F(TraceStreamsTest, TakesOnlyWhatIsRead) {
  Asked* asked = Ask(v1::TapMessagesRequest());
  See("a");
  streams_.OnWoken();
  EXPECT_EQ(takes_, 0) << "the first answer has not left";
  asked->call->Written();
  EXPECT_EQ(takes_, 1);
  See("b");
  streams_.OnWoken();
  EXPECT_EQ(takes_, 1);
}

TEST_F(TraceStreamsTest, CountsWhatIsMissing) {
  Asked* asked = Ask(v1::TapMessagesRequest());
  Told(asked);
  const auto next = [&](uint64_t dropped, uint64_t limited) {
    samples_.dropped = dropped;
    samples_.limited = limited;
    See("a");
    streams_.OnWoken();
    asked->Read();
    const auto answer = static_cast<const v1::TapMessagesResponse&>(*asked->replies.back());
    return std::pair(answer.dropped(), answer.limited());
  };
  EXPECT_EQ(next(3, 1), std::pair(uint64_t{3}, uint64_t{1}));
  EXPECT_EQ(next(3, 1), std::pair(uint64_t{0}, uint64_t{0}));
  EXPECT_EQ(next(5, 2), std::pair(uint64_t{2}, uint64_t{1}));
}

// Each worker keeps to the limit for itself; all of them together do so here.
TEST_F(TraceStreamsTest, TellsNoMoreThanItMayPerSecond) {
  v1::TapMessagesRequest request;
  request.set_per_second(2);
  Asked* asked = Ask(request);
  for (const char* address : {"a", "b", "c"}) See(address);
  See("d", kStart + Seconds(1));
  streams_.OnWoken();
  asked->Read();
  EXPECT_EQ(static_cast<const v1::TapMessagesResponse&>(*asked->replies.back()).limited(), 0u);
  EXPECT_EQ(static_cast<const v1::TapMessagesResponse&>(*asked->replies[1]).limited(), 1u);
  EXPECT_THAT(Told(asked), ElementsAre("begun", "a", "b", "d"));
}

TEST_F(TraceStreamsTest, BodiesAreForAdmins) {
  v1::TapMessagesRequest request;
  request.set_body_bytes(1);
  Asked* asked = Ask(request, v1::ACCESS_ROLE_OPERATOR);
  EXPECT_EQ(asked->reason(), "ROLE_REQUIRED");
  EXPECT_EQ(asked->end->code(), absl::StatusCode::kPermissionDenied);
  request.set_body_bytes(0);
  EXPECT_EQ(Ask(request, v1::ACCESS_ROLE_OPERATOR)->reason(), "under way");
  request.set_body_bytes(1);
  EXPECT_EQ(Ask(request, v1::ACCESS_ROLE_ADMIN)->reason(), "under way");
}

TEST_F(TraceStreamsTest, RefusesWhatIsOutOfItsRange) {
  v1::TapMessagesRequest request;
  request.set_per_second(1000);
  request.set_body_bytes(65536);
  EXPECT_EQ(Ask(request)->reason(), "under way");
  request.set_per_second(1001);
  EXPECT_EQ(Ask(request)->field(), "per_second");
  request.set_per_second(1);
  request.set_body_bytes(65537);
  EXPECT_EQ(Ask(request)->field(), "body_bytes");
  request.set_body_bytes(0);
  request.set_address("bad");
  EXPECT_EQ(Ask(request)->field(), "address");
  EXPECT_EQ(asked_.back()->reason(), "INVALID_FIELD");
}

TEST_F(TraceStreamsTest, HasPlacesForSoManyOfEither) {
  for (size_t i = 0; i < TraceStreams::kTapsMax; ++i) {
    EXPECT_EQ(Ask(v1::TapMessagesRequest())->reason(), "under way");
  }
  EXPECT_EQ(Ask(v1::TapMessagesRequest())->reason(), "TOO_MANY_TAPS");
  for (size_t i = 0; i < TraceStreams::kFrameTracesMax; ++i) {
    EXPECT_EQ(Ask(OfConnection("connections/1"))->reason(), "under way");
  }
  EXPECT_EQ(Ask(OfConnection("connections/1"))->reason(), "TOO_MANY_TRACES");
  asked_[0]->call->Gone(absl::CancelledError());
  EXPECT_EQ(Ask(v1::TapMessagesRequest())->reason(), "under way");
}

TEST_F(TraceStreamsTest, TellsTheFramesOfAConnectionUntilItEnds) {
  Asked* asked = Ask(OfConnection("connections/17"));
  EXPECT_EQ(frame_traces_[1].connection, 17u);
  EXPECT_EQ(frame_traces_[1].per_second, 1000u);
  EXPECT_THAT(Frames(asked), ElementsAre("begun"));
  frames_.samples.push_back({kStart, 17, false, "open"});
  streams_.OnWoken();
  EXPECT_THAT(Frames(asked), ElementsAre("open"));
  streams_.OnConnectionGone(18);
  EXPECT_FALSE(asked->end);
  frames_.samples.push_back({kStart, 17, true, "close"});
  streams_.OnConnectionGone(17);
  EXPECT_THAT(Frames(asked), ElementsAre("close"));
  ASSERT_TRUE(asked->end);
  EXPECT_TRUE(asked->end->ok());
  EXPECT_THAT(frame_traces_, IsEmpty());
}

TEST_F(TraceStreamsTest, TheFramesOfAConnectionEndAlsoIfItsEndWasLost) {
  Asked* gone = Ask(OfConnection("connections/17"));
  Asked* stays = Ask(OfConnection("connections/18"));
  v1::TraceFramesRequest of_owner;
  of_owner.set_owner("listeners/amqp");
  Asked* owner = Ask(of_owner);
  Asked* tap = Ask(v1::TapMessagesRequest());
  for (Asked* each : {gone, stays, owner, tap}) each->Read();
  there_ = {18};
  frames_.samples.push_back({kStart, 17, true, "close"});
  streams_.OnEventsLost();
  EXPECT_THAT(Frames(gone), ElementsAre("begun", "close")) << "what was seen before is told";
  ASSERT_TRUE(gone->end);
  EXPECT_TRUE(gone->end->ok());
  for (Asked* each : {stays, owner, tap}) EXPECT_FALSE(each->end);
  EXPECT_EQ(streams_.streams(), 3u);
}

TEST_F(TraceStreamsTest, TheFramesOfAnOwnerGoOn) {
  v1::TraceFramesRequest request;
  request.set_owner("listeners/amqp");
  Asked* asked = Ask(request);
  EXPECT_EQ(frame_traces_[1].owner, "amqp");
  EXPECT_TRUE(frame_traces_[1].inbound);
  streams_.OnConnectionGone(17);
  EXPECT_FALSE(asked->end);
  request.set_owner("connectors/broker");
  Ask(request);
  EXPECT_EQ(frame_traces_[2].owner, "broker");
  EXPECT_FALSE(frame_traces_[2].inbound);
}

TEST_F(TraceStreamsTest, RefusesFramesOfNobody) {
  EXPECT_EQ(Ask(v1::TraceFramesRequest())->field(), "connection");
  for (const char* name :
       {"connections/", "connections/0", "connections/x", "17", "listeners/17"}) {
    EXPECT_EQ(Ask(OfConnection(name))->field(), "connection") << name;
  }
  v1::TraceFramesRequest both = OfConnection("connections/1");
  both.set_owner("listeners/amqp");
  EXPECT_EQ(Ask(both)->field(), "connection");
  v1::TraceFramesRequest owner;
  for (const char* name : {"amqp", "listeners/", "addresses/a"}) {
    owner.set_owner(name);
    EXPECT_EQ(Ask(owner)->field(), "owner") << name;
  }
  for (const char* name : {"listeners/broker", "listeners/amqp/x", "listeners/Ä"}) {
    owner.set_owner(name);
    EXPECT_EQ(Ask(owner)->reason(), "LISTENER_NOT_FOUND") << name;
  }
  owner.set_owner("connectors/amqp");
  EXPECT_EQ(Ask(owner)->reason(), "CONNECTOR_NOT_FOUND");
  EXPECT_THAT(frame_traces_, IsEmpty());
  v1::TraceFramesRequest rate = OfConnection("connections/1");
  rate.set_per_second(10'001);
  EXPECT_EQ(Ask(rate)->field(), "per_second");
  EXPECT_EQ(Ask(OfConnection("connections/404"))->reason(), "CONNECTION_NOT_FOUND");
}

}  // namespace
}  // namespace trunkline::api
